#!/usr/bin/env bash
# A trial that crashes the program is taken up again once, then set aside with its cause; the others are trained. Asked
# to retry, the sweep has in the end what an undisturbed one has.
source "$(dirname "$0")/small_study.sh" "$1"
make_study
long_study crash.toml
expect_status 0 "$isogrid" run crash.toml --archive whole.h5

# crash: starts the sweep and makes its first trial, always the longest, fail as a wrong program does.
crash() {
    local process status=0
    rm -rf cut.h5.d/checkpoints
    "$isogrid" run crash.toml --archive cut.h5 >out.txt 2>err.txt </dev/null &
    process=$!
    for _ in {1..1200}; do
        [[ -z $(find cut.h5.d/checkpoints -name '*.h5' 2>/dev/null) ]] || break
        sleep 0.02
    done
    kill -SEGV "$process"
    wait "$process" || status=$?
    ((status == 139)) || fail "exit status $status instead of 139 after SIGSEGV"
}
crash
crash
(($(cat cut.h5.d/attempts/* | grep -c '^crashed .* SIGSEGV$') == 2)) || fail "noted was: $(cat cut.h5.d/attempts/*)"

expect_status 0 "$isogrid" run crash.toml --archive cut.h5
grep -q '1 trial failed' out.txt || fail "nothing is said of the trial that was set aside: $(cat out.txt)"
"$isogrid" status cut.h5 | grep -q 'failed (its program crashed 2 times .*SIGSEGV' || fail "$("$isogrid" status cut.h5)"

expect_status 0 "$isogrid" run crash.toml --archive cut.h5 --retry failed
expect_same_digests whole.h5 cut.h5
expect_status 2 "$isogrid" run crash.toml --archive cut.h5 --retry completed
