#!/usr/bin/env bash
# Ctrl-C ends with exit status 75; the same command does the rest, and a third time nothing. So does a terminal that is
# closed; a pipe that nobody reads any more ends nothing; and tokenizing leaves no half file.
source "$(dirname "$0")/small_study.sh" "$1"
make_study
make_job long.toml 0 "$long"
expect_status 0 "$isogrid" run long.toml --archive whole.h5

# interrupt SIGNAL ARCHIVE COMMAND...: starts it, sends the signal once the first trial has ended.
interrupt() {
    local signal=$1 archive=$2 process status=0
    shift 2
    set -m # else bash starts background commands deaf to SIGINT
    "$@" >out.txt 2>err.txt </dev/null &
    process=$!
    set +m
    wait_for_trial "$archive"
    kill -s "$signal" "$process"
    wait "$process" || status=$?
    ((status == 75)) || { cat out.txt err.txt >&2; fail "exit status $status instead of 75 after $signal"; }
}

interrupt HUP cut.h5 "$isogrid" run long.toml --archive cut.h5
rm -rf cut.h5.d
interrupt INT cut.h5 "$isogrid" run long.toml --archive cut.h5
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

# What has no archive yet is not just missing.
rm -f nothing.h5
mkdir nothing.h5.d
expect_status 2 "$isogrid" verify nothing.h5
grep -q 'is not written yet' err.txt || fail "an archive to come is only missing: $(cat err.txt)"

# The sweep goes on when its reader has left.
make_job small.toml
set +o pipefail
"$isogrid" run small.toml --archive unread.h5 2>err.txt | true
set -o pipefail
[[ -s unread.h5 && ! -e unread.h5.d ]] || fail "a sweep ended with its reader: $(cat err.txt)"

# An archive, and a text, come to where a link leads; the link stays.
mkdir elsewhere
ln -s elsewhere/far.h5 near.h5
ln -s elsewhere/far.tok near.tok
expect_status 0 "$isogrid" run small.toml --archive near.h5
expect_status 0 "$isogrid" tokenize text.txt --out near.tok --validation 0.05
[[ -L near.h5 && -s elsewhere/far.h5 && -L near.tok && -s elsewhere/far.tok ]] || fail "a link was replaced: $(ls -l)"

# A text that never ends, interrupted: nothing is left beside it.
mkfifo endless
set -m
"$isogrid" tokenize endless --out endless.tok >out.txt 2>err.txt </dev/null &
process=$!
set +m
exec 3>endless
cat text.txt >&3
for _ in {1..600}; do
    [[ -z $(find . -name 'endless.tok*') ]] || break
    sleep 0.05
done
[[ -n $(find . -name 'endless.tok*') ]] || fail "tokenizing did not begin in 30 s"
kill -INT "$process"
status=0
wait "$process" || status=$?
exec 3>&-
((status == 130)) || fail "exit status $status instead of 130 of an interrupted isogrid tokenize"
[[ -z $(find . -name 'endless.tok*') ]] || fail "left behind: $(find . -name 'endless.tok*')"
