#!/usr/bin/env bash
# Every `isogrid` and `isogrid-fit` command that README.md, docs/tutorial.md and docs/token-file.md show exists, with its options, in --help.
source "$(dirname "$0")/small_study.sh" "$1"

documents=("$repository"/README.md "$repository"/docs/tutorial.md "$repository"/docs/token-file.md)

# The lines of code blocks that start one of our programs, comments cut off.
awk '/^```/ { code = !code; next } code' "${documents[@]}" |
    sed -E 's/ #.*//; s/^mpirun .*-n [0-9]+ //' | grep -E '^(build/bin/)?isogrid(-fit)? ' >commands.txt
[[ -s commands.txt ]] || fail "no commands found in ${documents[*]}"
while read -r line; do
    command=$(grep -oE 'isogrid(-fit)?( [a-z]+)?' <<<"$line" | head -n 1)
    case $command in
        isogrid-fit*) help=$("$programs/isogrid-fit" --help) ;;
        *) help=$("$isogrid" "${command#isogrid }" --help) || fail "no such verb: $line" ;;
    esac
    for option in $(grep -oE -- ' --[a-z-]+' <<<"$line"); do
        grep -q -- "$option" <<<"$help" || fail "$command has no $option: $line"
    done
done <commands.txt
