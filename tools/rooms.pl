#!/usr/bin/env perl
# Which room of src/ leans on which, by `crate::ROOM`: no circles, nobody imports settings save who starts things, the store and the
# leaves lean on no sibling. Given the sources without tests; prints what is wrong, and fails.
use strict;
use warnings;

# Small things that anybody may use, and that use nothing of ours.
my %leaf = map { $_ => 1 } qw(address crypto json_schema priority rate redact schema tenant time trace_context write_behind);
# Who reads settings and puts the rooms together.
my %starts = map { $_ => 1 } qw(cli main serve);

my (%leans, $bad);
sub say_bad { print "@_\n"; $bad = 1 }
for my $file (@ARGV) {
    my ($room) = $file =~ m{^src/([a-z_]+)} or next;
    next if $room eq 'lib';
    open my $source, '<', $file or die "$file: $!";
    while (<$source>) {
        last if /^#\[cfg\(test\)\]/ && <$source> !~ /;\s*$/;
        s{//.*}{};
        while (/\bcrate::(?:([a-z_]+)|\{([^}]*))/g) {
            for my $other (defined $1 ? $1 : $2 =~ /(?:^|,)\s*([a-z_]+)/g) {
                $leans{$room}{$other} //= "$file:$." if $other ne $room;
            }
        }
    }
}
for my $room (sort keys %leans) {
    for my $other (sort keys %{$leans{$room}}) {
        my $where = $leans{$room}{$other};
        say_bad("$where: settings import what the rooms own, and no room imports settings") if $other eq 'settings' && !$starts{$room};
        say_bad("$where: the store leans on no room ($other)") if $room eq 'store' && !$leaf{$other};
        say_bad("$where: $room is a leaf, and leans on nothing of ours ($other)") if $leaf{$room};
    }
}
# A circle: whoever is reached from a room it leans on, and reaches that room.
my %reaches;
sub reach { my ($room, $seen) = @_; for (keys %{$leans{$room} // {}}) { next if $seen->{$_}++; reach($_, $seen) } return $seen }
$reaches{$_} = reach($_, {}) for keys %leans;
for my $room (sort keys %leans) {
    next unless $reaches{$room}{$room};
    my @round = grep { $_ ne $room && ($reaches{$_} // {})->{$room} && $reaches{$room}{$_} } sort keys %leans;
    my @edges = map { "$leans{$room}{$_} ($room -> $_)" } grep { $leans{$room}{$_} } @round;
    say_bad("rooms lean on each other in a circle: " . join(', ', @edges));
}
exit($bad ? 1 : 0);
