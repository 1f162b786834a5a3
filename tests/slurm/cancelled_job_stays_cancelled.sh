#!/usr/bin/env bash
# slurm/sweep.sbatch does not requeue a job that somebody has cancelled, and takes its successor along. One that was
# preempted, or only told to end, goes on. So it is with one that is told so before Slurm has said anything of the job.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<<'kill -TERM $PPID; /bin/sleep 0.2; exit 75'
stand_in sbatch <<<'echo 8'
stand_in scancel <<<'echo "scancel $*" >>asked.txt'
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') if [[ $3 == *'['* ]]; then printf '%s\n' node1 node2 node3 node10; else echo "$3"; fi ;;
    'show job')
        echo "JobId=7 Requeue=${REQUEUE:-1} Restarts=0"
        printf '   %s\n' "JobState=$STATE Reason=${REASON:-None}" ${PREEMPTED:+"PreemptTime=$PREEMPTED"} \
            ${RAN:+"RunTime=$RAN TimeLimit=1-00:00:00 TimeMin=N/A" "EndTime=2026-11-27T12:48:58"} \
            "NodeList=${NODES:-node[1-3,10]}"
        ;;
    show* | update*) ;;
    *) echo "$*" >>asked.txt ;;
esac
END_OF_PROGRAM

# expect_asked WHAT VARIABLE=VALUE...
expect_asked() {
    rm -f asked.txt
    job_with "${@:2}"
    expect_status 75
    [[ $(cat asked.txt 2>/dev/null) == "$1" ]] || fail "Slurm was asked '$(cat asked.txt)', not '$1': $(cat log.txt)"
}

expect_asked '' STATE=COMPLETING PREEMPTED=None
expect_in_log 'the job was cancelled: submit again to go on'
expect_asked 'scancel 8' STATE=COMPLETING PREEMPTED=None REQUEUE=0 SLURM_JOB_NAME=sweep
expect_asked '' STATE=COMPLETING PREEMPTED= # a cluster without preemption has no such line
expect_in_log 'the job was cancelled: submit again to go on'
expect_asked 'requeue 7' STATE=RUNNING PREEMPTED=None
expect_asked 'requeue 7' STATE=COMPLETING PREEMPTED=2026-11-27T12:48:58
expect_asked 'requeue 7' STATE=COMPLETING PREEMPTED=None NODES=node10 # a guard has ended it, which has lost sight of node1
expect_asked '' STATE=COMPLETING PREEMPTED=2026-11-27T12:48:58 REQUEUE=0 SLURM_JOB_NAME=sweep
expect_in_log 'work is left; job 8 goes on'
# A node that is lost where --no-kill is not heeded, and an account that is used up, have a reason; scancel gives none.
expect_asked '' STATE=COMPLETING PREEMPTED=None REASON=NodeDown REQUEUE=0 SLURM_JOB_NAME=sweep
expect_in_log 'work is left; job 8 goes on'
# The end that Slurm named at the start has passed: the job had been suspended, or its time is over.
expect_asked '' STATE=COMPLETING RAN=23:59:30
expect_in_log 'the job was cancelled: submit again to go on'
expect_asked 'requeue 7' STATE=COMPLETING RAN=1-00:00:08

# Told to end at any moment, and not only while ranks run: here in the pause after a failure, behind a command that went
# well.
cp bin/mpirun mpirun_that_is_told
stand_in mpirun <<<'exit 1'
stand_in sleep <<'END_OF_PROGRAM'
[[ $1 == 1 && ! -e told.txt ]] || exec /bin/sleep "$1"
kill -TERM "$PPID"
touch told.txt
END_OF_PROGRAM
expect_asked 'requeue 7' STATE=RUNNING PREEMPTED=None ISOGRID_PAUSE=1
rm told.txt
expect_asked '' STATE=COMPLETING PREEMPTED=None ISOGRID_PAUSE=1
rm -rf told.txt out.h5.d
mv mpirun_that_is_told bin/mpirun
rm bin/sleep

# Slurm answers late, and meanwhile the job is told to end: by who has cancelled it, or as its time is nearly over; while
# the script looks for the program, too.
cp bin/scontrol scontrol_that_answers
stand_in scontrol <<'END_OF_PROGRAM'
[[ "$1 $2" != 'show job' || -e told.txt ]] || exit 1
exec ./scontrol_that_answers "$@"
END_OF_PROGRAM
stand_in sleep <<'END_OF_PROGRAM'
[[ -e told.txt ]] || kill -"$SIGNAL" "$PPID"
touch told.txt
exec /bin/sleep 0.1
END_OF_PROGRAM
stand_in mpirun <<<'exit 1'
for root in "$scratch/root" ''; do
    given=(ISOGRID_ROOT="$root" SLURM_SUBMIT_DIR="$scratch/root" PREEMPTED=None)
    rm -f told.txt
    expect_asked '' STATE=COMPLETING SIGNAL=TERM "${given[@]}"
    expect_in_log 'the job was cancelled: submit again to go on'
    rm -f told.txt
    expect_asked 'requeue 7' STATE=RUNNING SIGNAL=TERM "${given[@]}"
    rm -f told.txt
    expect_asked 'requeue 7' STATE=RUNNING SIGNAL=USR1 "${given[@]}"
    rm -rf out.h5.d
done
