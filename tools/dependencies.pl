#!/usr/bin/env perl
# Dependencies that no source names, and those that tests or benches alone name although the package itself depends on them. One that is
# there for its features alone says so in a comment above it, in the manifest. Prints what is wrong, and fails.
use strict;
use warnings;
use JSON::PP;

my $meta = decode_json(scalar qx(cargo metadata --no-deps --format-version 1 --locked));
my %other_dirs = map { $_ => 1 } qw(codecs protocol actors simulator tools);
my $bad = 0;
for my $package (@{$meta->{packages}}) {
    (my $dir = $package->{manifest_path}) =~ s{/Cargo\.toml$}{};
    my $root = $dir eq $meta->{workspace_root};
    my ($own, $tests) = ('', '');
    for my $file (split /\n/, qx(git -C '$dir' ls-files --cached --others --exclude-standard -- '*.rs')) {
        next if $root && $file =~ m{^([a-z]+)/} && $other_dirs{$1};
        open my $source, '<', "$dir/$file" or next;
        local $/;
        (my $text = <$source>) =~ s{//.*}{}g;
        if ($file =~ m{(^|/)(tests|benches)/|tests\.rs$}) { $tests .= $text; next }
        # What follows `#[cfg(test)] mod tests {` is a test.
        $text =~ s/(^#\[cfg\(test\)\]\nmod \w+ \{.*)//ms and $tests .= $1;
        $own .= $text;
    }
    open my $manifest, '<', $package->{manifest_path} or die $!;
    my $toml = do { local $/; <$manifest> };
    for my $dependency (@{$package->{dependencies}}) {
        my $name = $dependency->{rename} // $dependency->{name};
        next if $toml =~ /^# For its features alone[^\n]*\n\Q$name\E[. ]/m;
        (my $crate = $name) =~ s/-/_/g;
        $crate =~ s/^callgate_(?=codecs|protocol|actors|simulator)//;
        my $named = qr/(?<![\w.])$crate(?:::|\s*;|\s+as\b)/;
        next if $own =~ $named;
        my $kind = $dependency->{kind} // 'normal';
        next if $kind ne 'normal' && $tests =~ $named;
        my $what = $tests =~ $named ? 'tests and benches alone name it: a dev-dependency' : 'nothing names it';
        print "$package->{name}: $name: $what\n";
        $bad = 1;
    }
}
exit $bad;
