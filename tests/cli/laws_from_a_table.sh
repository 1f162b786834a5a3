#!/usr/bin/env bash
# isogrid-fit on somebody's CSV: laws as text, JSON and a page; bad input is refused with its line.
source "$(dirname "$0")/small_study.sh" "$1"
fit=$programs/isogrid-fit

# L = 1.8 + 400 / N^0.34 + 1100 / D^0.37 on four budgets of nine sizes, around sqrt(C / 120).
perl -e '
    print "flops,n,loss\n";
    for my $c (1e18, 4e18, 1.6e19, 6.4e19) {
        for my $step (-4 .. 4) {
            my $n = sqrt($c / 120) * 1.5 ** $step;
            printf "%.17g,%.17g,%.17g\n", $c, $n, 1.8 + 400 / $n ** 0.34 + 1100 / ($c / 6 / $n) ** 0.37;
        }
    }' >runs.csv

expect_status 0 "$fit" --csv runs.csv --columns parameters=n,loss=loss,flops=flops --law all --bootstrap 50 \
    --at-flops 1e21 --json fit.json --report page
grep -q '"schema": *"isogrid-fit/1"' fit.json || fail "fit.json has another schema"
grep -qE '^  E +1\.8 ' out.txt || fail "the joint law does not find E = 1.8: $(cat out.txt)"
grep -q 'For 1.00e+21 FLOPs train' out.txt || fail "no recommendation: $(cat out.txt)"
[[ -s page/report.html ]] || fail "no page"
if grep -qE '(src|href)="?https?:' page/report.html; then fail "the page needs the network"; fi

expect_status 0 "$fit" --csv runs.csv --columns parameters=n,loss=loss,flops=flops --law all --bootstrap 50 \
    --at-flops 1e21 --json -
cmp out.txt fit.json || fail "--json - prints something else than --json FILE writes"

sed '7s/.*/1e18,many,2.5/' runs.csv >bad.csv
expect_status 2 "$fit" --csv bad.csv --columns parameters=n,loss=loss,flops=flops
grep -q 'bad\.csv:7' err.txt || fail "the fault has no line: $(cat err.txt)"
expect_status 2 "$fit" --csv runs.csv --columns parameters=size,loss=loss,flops=flops
grep -q 'size' err.txt || fail "the missing column is not named: $(cat err.txt)"
grep -q 'the nearest is' err.txt && fail "a guess at what is nothing like it: $(cat err.txt)"

# What was meant, where a name is nearly right.
expect_status 2 "$fit" --csv runs.csv --columns parameters=N,loss=loss,flop=flops
grep -q 'the nearest is flops' err.txt || fail "no guess at the role: $(cat err.txt)"
expect_status 2 "$fit" --csv runs.csv --columns parameters=N,loss=loss,flops=FLOPs
grep -q 'no column N (the header has flops, n, loss; the nearest is n)' err.txt || fail "no guess: $(cat err.txt)"
expect_status 2 "$fit" --csv runs.csv --column parameters=n
grep -q 'write --columns,' err.txt || fail "no guess at the option: $(cat err.txt)"

# Numbers below zero are not taken for large ones, nor runs that are given twice for more runs.
columns=(--columns parameters=n,loss=loss,flops=flops --law joint --bootstrap 0)
for option in bootstrap seed drop-highest-loss; do
    expect_status 2 "$fit" --csv runs.csv "${columns[@]:0:4}" "--$option" -1
    grep -q -- "--$option: is -1" err.txt || fail "nothing is said of --$option -1: $(cat err.txt)"
done
expect_status 2 "$fit" --csv runs.csv --csv ./runs.csv "${columns[@]}"
grep -q 'holds the same as runs\.csv' err.txt || fail "runs count twice: $(cat err.txt)"

# Places that cannot be written are refused before anything is fitted.
mkdir folder
for place in "--json folder" "--json runs.csv/fit.json" "--report runs.csv" "--json=" "--report="; do
    read -ra words <<<"$place"
    expect_status 2 "$fit" --csv runs.csv "${columns[@]}" "${words[@]}"
    [[ -s err.txt && ! -s out.txt ]] || fail "fitted before $place was refused"
done

# The files are written though nobody reads the text.
set +o pipefail
"$fit" --csv runs.csv "${columns[@]}" --report unread 2>err.txt | true
set -o pipefail
[[ -s unread/fit.json && -s unread/report.html ]] || fail "no files where nobody reads the text: $(cat err.txt)"

# A law of a study that an archive does not have is refused by what is missing.
expect_status 2 "$fit" "$repository/analysis/example/batch-ramp.h5" --law isoflop
grep -q 'no run is of the study isoflop' err.txt || fail "nothing is said of the study: $(cat err.txt)"

# Nor does an option of CSVs alone pass for one of archives.
expect_status 2 "$fit" "$repository/analysis/example/quickstart.h5" --skip-bad-rows
grep -q -- '--skip-bad-rows: says nothing about an archive' err.txt || fail "rows of an archive: $(cat err.txt)"

# Values of --where and names of --reference may hold equals signs.
awk -F, 'NR == 1 {print $0 ",model"} NR > 1 {print $0 ",d=" (1 + NR % 2) "_l=2"}' runs.csv >models.csv
expect_status 0 "$fit" --csv models.csv "${columns[@]}" --where model=d=1_l=2 --reference "xz --lzma2=dict=64MiB=2"
grep -q '^18 runs of' out.txt || fail "--where takes no value with an equals sign: $(cat out.txt)"

# Names need not be UTF-8, and a curve to be held out must be there.
{ echo "name,n,flops,loss"; tail -n +2 runs.csv | awk -F, '{printf "r\351sum\351 %d,%s,%s,%s\n", NR, $2, $1, $3}'; } >latin.csv
expect_status 0 "$fit" --csv latin.csv --columns name=name,parameters=n,loss=loss,flops=flops --law joint --bootstrap 0 \
    --report latin
grep -q '"schema": *"isogrid-fit/1"' latin/fit.json || fail "no JSON of runs whose names are no UTF-8"
expect_status 2 "$fit" --csv latin.csv --columns name=name,parameters=n,loss=loss,flops=flops --hold-out 'resume 1'
grep -q 'no run is called resume 1' err.txt || fail "a curve that is not there is held out: $(cat err.txt)"
