#!/usr/bin/env bash
# Ctrl-C ends with exit status 75; the same command does the rest, and a third time nothing.
source "$(dirname "$0")/small_study.sh" "$1"
make_study
make_job long.toml 0 "$long"
expect_status 0 "$isogrid" run long.toml --archive whole.h5

# interrupt ARCHIVE COMMAND...: starts it, sends SIGINT once the first trial has ended.
interrupt() {
    local archive=$1 process status=0
    shift
    set -m # else bash starts background commands deaf to SIGINT
    "$@" >out.txt 2>err.txt </dev/null &
    process=$!
    set +m
    wait_for_trial "$archive"
    kill -INT "$process"
    wait "$process" || status=$?
    ((status == 75)) || { cat out.txt err.txt >&2; fail "exit status $status instead of 75 after SIGINT"; }
}

interrupt cut.h5 "$isogrid" run long.toml --archive cut.h5
"$isogrid" status cut.h5 --json | grep -q '"done"' || fail "no \"done\" in isogrid status --json"
expect_status 0 "$isogrid" run long.toml --archive cut.h5
expect_same_digests whole.h5 cut.h5

# Running a finished study again does nothing.
cp cut.h5 before.h5
changed=$(stat -c %y cut.h5)
expect_status 0 "$isogrid" run long.toml --archive cut.h5
cmp before.h5 cut.h5 || fail "a finished archive was changed"
[[ $(stat -c %y cut.h5) == "$changed" ]] || fail "a finished archive was written again"

# Another study does not go into it.
sed 's/learning_rate = 0.01/learning_rate = 0.02/' long.toml >other.toml
expect_status 2 "$isogrid" run other.toml --archive cut.h5
grep -q 'cut\.h5' err.txt || fail "the refusal does not name the archive: $(cat err.txt)"
cmp before.h5 cut.h5 || fail "a refused study changed the archive"
