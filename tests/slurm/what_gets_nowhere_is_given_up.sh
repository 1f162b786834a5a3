#!/usr/bin/env bash
# slurm/sweep.sbatch does not use up allocations for nothing: it gives up after four starts in a row that have brought
# nothing new, however they ended, also when the disk does not take their number, and one that brings something in between
# makes it count anew. Bad input is told at once though a run that is gone has left its lock.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
echo start >>started.txt
mkdir -p out.h5.d/trials
source ./start
END_OF_PROGRAM
stand_in sleep <<<'exec /bin/sleep 0.01'

# expect_starts NUMBER STATUS: of a job whose starts do what the file start says.
expect_starts() {
    rm -f started.txt
    job_with "${@:3}"
    (($(wc -l <started.txt) == $1)) || fail "$(wc -l <started.txt) starts instead of $1: $(cat log.txt)"
    expect_status "$2"
}

echo 'exit 1' >start
expect_starts 4 1
expect_in_log '4 starts in a row have brought nothing new on disk: given up'
[[ ! -e out.h5.d/failures ]] || fail "the number was kept"
mkdir -p out.h5.d/failures # as good as a full disk
expect_starts 4 1
rmdir out.h5.d/failures
: >out.h5.d/failures # a disk that was full has taken the name, not the number
expect_starts 4 1

# What is over in a while has it, unless the time or a signal ends that; a start that brings something is followed at once.
# expect_seconds LEAST MOST STARTS STATUS VARIABLE=VALUE...
expect_seconds() {
    local began=$SECONDS
    expect_starts "${@:3}"
    ((SECONDS - began >= $1 && SECONDS - began <= $2)) || fail "it took $((SECONDS - began)) s, not $1 to $2: $(cat log.txt)"
    rm -rf out.h5.d
}
echo '(($(wc -l <started.txt) < 3)) || (/bin/sleep 1; kill -USR1 $PPID) >/dev/null 2>&1 & exit 1' >start
expect_seconds 5 30 3 75 ISOGRID_PAUSE=1
for pause in 1 4 16; do expect_in_log "nothing new is on disk: waiting for $pause s"; done
echo 'exit 1' >start
expect_seconds 0 20 4 1 ISOGRID_PAUSE=60 SLURM_JOB_END_TIME=$(($(date +%s) + 500))
echo '(/bin/sleep 1; kill -USR1 $PPID) >/dev/null 2>&1 & exit 1' >start
expect_seconds 0 20 1 75 ISOGRID_PAUSE=60
echo '(($(wc -l <started.txt) < 3)) || exit 75; touch "out.h5.d/trials/$RANDOM.h5"; exit 1' >start
expect_seconds 0 20 3 75 ISOGRID_PAUSE=60

# Two failures, a start that gets on, and two more failures.
echo '(($(wc -l <started.txt) < 3)) || exit 2; exit 1' >start
expect_starts 3 2
echo 'touch out.h5.d/trials/one.h5; exit 75' >start
expect_starts 1 75
echo '(($(wc -l <started.txt) < 3)) || exit 2; exit 1' >start
expect_starts 3 2
rm out.h5.d/failures

# Starts that are told that their time is over, and have left nothing.
echo 'kill -USR1 $PPID; /bin/sleep 0.2; exit 75' >start
for _ in {1..3}; do expect_starts 1 75; done
expect_starts 1 1
expect_in_log '4 starts in a row have brought nothing new on disk: given up'
echo 'kill -TERM $PPID; /bin/sleep 0.2; exit 75' >start # preempted: nobody's fault
for _ in {1..4}; do expect_starts 1 75; done
echo 'exit 75' >start # nobody has told the ranks: no worker was left, on a network that MPI cannot use
for _ in {1..3}; do expect_starts 1 75; done
expect_starts 1 1

# One that fails when there is no time left for another is one failure.
stand_in date <<<'exec /bin/date -d "$(cat passed.txt 2>/dev/null)" "$@"'
echo "echo '7100 seconds' >passed.txt; exit 1" >start
rm -f out.h5.d/failures
expect_starts 1 75
[[ $(cat out.h5.d/failures) == 1 ]] || fail "one start counts as $(cat out.h5.d/failures)"
rm passed.txt bin/date out.h5.d/failures

# What is new is looked for in the run folder, and not in another one of that name that CDPATH leads to.
mkdir -p other/out.h5.d
echo 'touch "out.h5.d/trials/$RANDOM.h5"; (($(wc -l <started.txt) < 5)) || exit 75; exit 1' >start
expect_starts 5 75 CDPATH="$scratch/other"
rm -f out.h5.d/failures

# Refused, beside a lock that nobody holds.
touch out.h5.d/lock
echo 'exit 2' >start
expect_starts 2 2
expect_in_log 'bad input, see above) correct it'

# What was counted goes with the run folder.
echo 1 >out.h5.d/failures
echo 'rm -r out.h5.d/trials out.h5.d/lock; echo results >out.h5; exit 0' >start
expect_starts 1 0
[[ ! -e out.h5.d ]] || fail "left behind: $(find out.h5.d)"
