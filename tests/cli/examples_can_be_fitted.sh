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
[[ -s results/example/report.html && -s results/example/fit.json ]] || fail "no report"
