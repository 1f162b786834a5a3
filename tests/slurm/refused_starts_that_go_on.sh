#!/usr/bin/env bash
# Not all that isogrid refuses is bad input to slurm/sweep.sbatch. On fewer nodes than the job has there may be fewer ranks
# than its trials ask for: the job is requeued, where there may be all of them again. So it is where ranks of this start
# have outlived their launcher and still hold the lock, and where an earlier start of the job, or of one that it goes on
# for, was accepted. Start after start without anything new ends all the same.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
echo "$*" >>started.txt
mkdir -p out.h5.d/trials
source ./start
END_OF_PROGRAM
stand_in sleep <<<'exec /bin/sleep 0.01'
stand_in srun <<<'[[ $* != *--nodelist=node10\ test* ]]' # node10 does not answer

# expect_starts NUMBER STATUS [VARIABLE=VALUE]...: of a job whose starts do what the file start says.
expect_starts() {
    rm -f started.txt
    job_with "${@:3}"
    (($(wc -l <started.txt) == $1)) || fail "$(wc -l <started.txt) starts instead of $1: $(cat log.txt)"
    expect_status "$2"
}

# Trials ask for more ranks than three nodes have.
echo '[[ $* != *--host* ]] || exit 2; exit 1' >start
for _ in {1..3}; do
    expect_starts 2 75
    expect_in_log 'refused on 3 of 4 nodes (see above) it may not be on all'
    expect_in_log 'work is left; requeueing'
done
expect_starts 1 1
expect_in_log '4 starts in a row have brought nothing new on disk: given up'
# A lock that is left behind is waited for there too.
cat >start <<'END_OF_START'
case $(wc -l <started.txt) in
    1) touch out.h5.d/lock && exit 1 ;;
    2) exit 2 ;;
    3) exit 75 ;;
esac
END_OF_START
expect_starts 3 75
! grep -q 'refused on' log.txt || fail "refused for the lock alone, and the log says: $(cat log.txt)"
rm out.h5.d/lock out.h5.d/failures

# Ranks that live on when their launcher has died: the lock is of this start, and beats.
write_lock() { # JOB RESTARTS
    printf '{\n    "host": "node1",\n    "job": "%s",\n    "restarts": "%s",\n    "lease": "l"\n}\n' "$@" >lock.txt
}
cat >start <<'END_OF_START'
cp lock.txt out.h5.d/lock
(($(wc -l <started.txt) > 1)) || exit 1
(for second in {1..50}; do /bin/sleep 0.1; touch -cd "@$second" out.h5.d/lock; done) >/dev/null 2>&1 &
exit 2
END_OF_START
stand_in srun </dev/null # all nodes answer
write_lock 7 0
expect_starts 2 75
expect_in_log 'ranks of this start have outlived their launcher'
rm out.h5.d/failures
for other in '8 0' '7 1'; do # another job, or another start of this one
    # shellcheck disable=SC2086  # two words
    write_lock $other
    expect_starts 2 2
    rm out.h5.d/failures
done

# A card has dropped off, or a file system is gone, since a start was accepted.
rm -r out.h5.d
echo 'echo "$SLURM_JOB_ID" >out.h5.d/accepted; touch "out.h5.d/trials/$RANDOM.h5"; exit 75' >start
expect_starts 1 75
echo 'exit 2' >start
for _ in {1..3}; do
    expect_starts 1 75
    expect_in_log 'although an earlier start accepted the same'
    expect_in_log 'work is left; requeueing'
done
expect_starts 1 2
expect_in_log '4 starts in a row have brought nothing new on disk: given up'
expect_starts 1 75

# The same of a successor. But another job is told at once, as is one whose archive another has taken.
stand_in squeue <<<'[[ $* != *"-j 8"* ]] || echo 8'
stand_in sbatch <<<'echo "$ISOGRID_GOES_ON_FOR" >goes_on_for.txt; echo 8'
chained=(SLURM_JOB_NAME=sweep ISOGRID_CHAIN=yes)
expect_starts 1 75 "${chained[@]}" SLURM_JOB_ID=9 ISOGRID_GOES_ON_FOR=7
expect_in_log 'work is left; job 8 goes on'
[[ $(<goes_on_for.txt) == '9 7' ]] || fail "the successor goes on for '$(<goes_on_for.txt)'"
expect_starts 1 2 SLURM_JOB_ID=9
expect_in_log 'bad input, see above) correct it'
expect_starts 1 2 SLURM_JOB_ID=77 ISOGRID_GOES_ON_FOR=78
write_lock 8 0
echo 'cp lock.txt out.h5.d/lock; touch -d "@$SECONDS" out.h5.d/lock; (/bin/sleep 0.2; touch -c out.h5.d/lock) >/dev/null 2>&1 & exit 2' >start
expect_starts 1 2
expect_in_log 'bad input, see above) correct it'
rm out.h5.d/lock
echo >out.h5.d/accepted # by a run outside Slurm
echo 'exit 2' >start
expect_starts 1 2
