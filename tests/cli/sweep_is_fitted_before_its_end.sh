#!/usr/bin/env bash
# isogrid-fit fits what a sweep has finished, at work or stopped, without touching it: of a budget that is whole it says
# then what it says of the archive in the end.
source "$(dirname "$0")/small_study.sh" "$1"
fit=$programs/isogrid-fit
[[ -x $fit ]] || { echo "skipped: no $fit (not built) ninja isogrid-fit"; exit 77; }
make_text
for _ in {1..8}; do cat text.txt; done >long.txt # none of its trials repeats it: isoflop is of fresh text
expect_status 0 "$isogrid" tokenize long.txt --out small.tok --validation 0.05

# Two budgets that take no time, and one that takes seconds, counted in another convention than the usual one.
make_job two.toml
sed "s/^budgets = .*/budgets = [2e9, 5e9, 5e$long]\nflops = \"matmul\"/" two.toml >three.toml

# fits ARCHIVE FILE: its isoFLOP minima in FILE, a line a budget.
fits() {
    expect_status 0 "$fit" "$1" --law isoflop --minimum akima --bootstrap 0 --json fit.json --report report
    perl -MJSON::PP -0777 -ne '
        my $fit = decode_json($_);
        print "$_->{flops} $_->{sizes} $_->{parameters_akima} $_->{status}\n" for @{$fit->{laws}{isoflop}{budgets}}' \
        fit.json >"$2"
    [[ -s $2 ]] || fail "no budget in the fit of $1: $(cat fit.json)"
}

mkdir cut.h5.d
expect_status 2 "$fit" cut.h5
grep -q 'cut.h5: has no finished trial yet (' err.txt || fail "a sweep without a result: $(cat err.txt)"
rmdir cut.h5.d

set -m # else bash starts background commands deaf to SIGINT
"$isogrid" run three.toml --archive cut.h5 >run.txt 2>&1 </dev/null &
process=$!
set +m
for _ in {1..600}; do
    (($(find cut.h5.d/trials -name 'b[12]-*.h5' 2>/dev/null | wc -l) == 6)) && break
    sleep 0.05
done
fits cut.h5 running.txt
expect_status 0 "$isogrid" status cut.h5
grep -q '^isogrid-fit cut.h5 ' out.txt || fail "isogrid status says nothing of a fit: $(cat out.txt)"
kill -s INT "$process"
status=0
wait "$process" || status=$?
((status == 75)) || fail "exit status $status instead of 75: $(cat run.txt)"

find cut.h5.d -type f -exec sha256sum {} + | sort >before.txt
fits cut.h5 stopped.txt
grep -q 'so far   the sweep has not ended: [678] of its 9 trials are finished' out.txt || fail "$(cat out.txt)"
grep -q 'budgets with all of their trials: 2.00e+09, 5.00e+09' out.txt || fail "which budgets are whole: $(cat out.txt)"
grep -q '  C        matmul' out.txt || fail "the convention of the budgets is not known: $(cat out.txt)"
grep -q '"unfinished": "the sweep has not ended' fit.json || fail "the JSON does not say that the sweep goes on"
grep -q 'So far: the sweep has not ended' report/report.html || fail "the page does not say that the sweep goes on"
find cut.h5.d -type f -exec sha256sum {} + | sort | diff before.txt - || fail "a fit changed the run folder"
[[ ! -e cut.h5 ]] || fail "a fit wrote an archive"

expect_status 0 "$isogrid" run three.toml --archive cut.h5
[[ ! -e cut.h5.d ]] || fail "left behind: $(find cut.h5.d)"
fits cut.h5 whole.txt
! grep -q 'so far' out.txt || fail "a sweep that has ended goes on: $(cat out.txt)"
for early in running.txt stopped.txt; do
    diff <(head -n 2 whole.txt) <(head -n 2 "$early") >&2 || fail "two whole budgets are fitted anew in the archive"
done
(($(wc -l <whole.txt) == 3)) || fail "not the three budgets: $(cat whole.txt)"
