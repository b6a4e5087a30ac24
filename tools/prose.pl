#!/usr/bin/env perl
# Finds decisions on sentences: words meant for people that are compared or matched, outside of tests. What a program decides on is a
# type or a code; then a sentence can be bettered, and nothing else changes. Prints each place, and fails if there is any.
use strict;
use warnings;

# Whose words these are, and why there is nothing else to go by.
my %theirs = (
    'protocol/src/realtime/failure.rs' => qr/told|message/,                 # the provider's: its codes do not say it
    'src/store/error.rs'               => qr/info\.message\(\)/,            # the database's: Diesel does not pass its codes on
    'src/store/engine/postgres/tls.rs'        => qr/words\.contains/,              # the TLS library's: its causes are opaque
);
# A field, variable or method that holds words; what is compared to a type of ours is none.
my $words = qr/(?:ended_why|why|words|cause|reason|message|problem|last_error|sentence)(?:\(\))?/;
my $as = qr/(?:\.(?:as_deref|as_str|as_ref|clone|trim|to_string|unwrap_or_default)\(\))*/;
my $find = qr/\.(?:starts_with|ends_with|contains|find|eq_ignore_ascii_case|strip_prefix|strip_suffix|split_once)\(/;
# A literal that is a sentence: two words at least.
my $sentence = qr/"[^"{}]*[a-z]{2,} [a-z]{2,}[^"]*"/;
my @bad = (
    qr/\b$words$as\s*(?:==|!=)\s*+(?!None|[A-Z]\w*::)/,   # why == …
    qr/(?:==|!=)[^;&|]*\.words\(\)/,                     # … == Some(&*Ended::NoMedia.words())
    qr/\b$words$as$find/,                                # why.starts_with(…)
    qr/\bmatch\s[^{]*\b(?:$words\.as_|words\(\))/,       # match why.as_str() { … }
    qr/\bmatches!\([^;]*\b$words$as,\s*(?:Some\()?"/,    # matches!(why, "…")
    qr/\bto_string\(\)$as(?:\s*(?:==|!=)|$find)\s*"/,    # an error's Display
    qr/(?:==|!=)\s*(?:Some\()?$sentence|$find\s*$sentence|^\s*(?:\|\s*)?$sentence\s*(?:=>|\|)/,
    qr/\.(?:status|kind)$as\s*(?:==|!=)\s*(?:Some\()?"/, # what has a type, by its word
    qr/\bmatch\s[^{]*\.(?:status|kind)\.as_|\bkind$find\s*"/,
    qr/\bended_why\.(?:eq|ne|like|not_like|eq_any)\(/,   # the same in SQL
);
my $found = 0;
for my $file (@ARGV) {
    open my $in, '<', $file or die "$file: $!\n";
    my $test = 0;
    while (my $line = <$in>) {
        # Tests are in files of their own, or at the end.
        last if $test && $line =~ /^mod \w+ \{/;
        $test = $line =~ /^#\[cfg\(test\)\]/;
        (my $code = $line) =~ s{(?:^|\s)//.*}{};
        next unless grep { $code =~ $_ } @bad;
        next if $theirs{$file} && $code =~ $theirs{$file};
        print "$file:$.: $line";
        $found = 1;
    }
}
exit $found;
