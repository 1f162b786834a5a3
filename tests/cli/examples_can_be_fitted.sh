#!/usr/bin/env bash
# Every command of analysis/example/README.md gives laws.
source "$(dirname "$0")/small_study.sh" "$1"

page=$repository/analysis/example/README.md
commands=$(grep -E '^build/bin/isogrid-fit ' "$page") || fail "no commands in $page"
ln -s "$repository/analysis" analysis
while read -r _ arguments; do
    # shellcheck disable=SC2086 # the arguments are words
    expect_status 0 "$programs/isogrid-fit" $arguments --bootstrap 50
    if [[ $arguments == *--law* ]] && grep -q REFUSED out.txt; then fail "a law is refused: isogrid-fit $arguments: $(cat out.txt)"; fi
    grep -q '95% intervals\|+/-' out.txt || fail "no law stands: isogrid-fit $arguments: $(cat out.txt)"
done <<<"$commands"

# Every interval holds the number that it is of; null is an end that is open or not known.
cat >hold.pl <<'PERL'
use JSON::PP;
sub outside {
    my ($where, $value, $interval) = @_;
    my ($low, $high) = @$interval;
    return if !defined $value || !(defined $low && $low > $value || defined $high && $high < $value);
    print "$where: $value is not in [", $low // "null", ", ", $high // "null", "]\n";
    $faults++;
}
sub walk {
    my ($where, $node) = @_;
    if (ref $node eq "HASH") {
        outside($where, $node->{value}, $node->{ci95}) if exists $node->{value} && ref $node->{ci95} eq "ARRAY";
        for my $key (sort keys %$node) {
            outside("$where.$1", $node->{$1}, $node->{$key}) if $key =~ /^(.*)_ci95$/;
            walk("$where.$key", $node->{$key});
        }
    } elsif (ref $node eq "ARRAY") {
        walk("$where\[$_]", $node->[$_]) for 0 .. $#$node;
    }
}
local $/;
walk("", decode_json(<STDIN>));
exit($faults ? 1 : 0);
PERL
for archive in analysis/example/*.h5; do
    expect_status 0 "$programs/isogrid-fit" "$archive" --bootstrap 50 --json "intervals.json"
    perl hold.pl <intervals.json >outside.txt || fail "$archive: an interval lies outside of its value: $(cat outside.txt)"
done

[[ -s results/example/report.html && -s results/example/fit.json ]] || fail "no report"
