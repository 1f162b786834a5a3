#!/usr/bin/env bash
# slurm/sweep.sbatch sees to it that the sweep goes on though ranks do not end when the time is over, the controller does
# not answer at once, no successor could be queued, or the one that was is gone. None is queued before the job has the
# name that the successor waits for: it would start at once. Where none could be, the guard of the first node requeues the
# job: it would otherwise end it with nobody to go on. A job that is refused leaves another one its successor. One that is
# told that its time is over before it has ranks counts as any start that brings nothing.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
[[ -z ${HANGS:-} ]] || { trap '' USR1 TERM; exec /bin/sleep 60; }
[[ -z ${HOLDER:-} ]] || { mkdir -p out.h5.d; printf '{\n    "job": "%s"\n}\n' "$HOLDER" >out.h5.d/lock; }
exit "${ENDS:-75}"
END_OF_PROGRAM
stand_in sleep <<<'exec /bin/sleep 0.1'
stand_in sbatch <<'END_OF_PROGRAM'
[[ -n ${QUEUES:-} ]] || exit 1
echo "after $(wc -l <named.txt)" >>submitted.txt
echo 8
END_OF_PROGRAM
stand_in squeue <<'END_OF_PROGRAM'
[[ -z ${WAITS:-} || $* != *' -n sweep.'* ]] || echo 9
[[ -z ${GONE:-} ]] || { echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1; }
[[ $* != *'-j 8'* ]] || echo 8
END_OF_PROGRAM
stand_in srun <<<'all=$*; [[ $all != *" guard 7 "* ]] || echo "${all##* guard 7 }" >>guards.txt'
stand_in scancel <<<'echo "$*" >>cancelled.txt'
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') printf '%s\n' node1 node2 node3 node10 ;;
    'show job') echo "JobId=7 Requeue=${REQUEUE:-1} Restarts=0" ;;
    'update JobId=7')
        echo "$3" >>named.txt
        (($(wc -l <named.txt) > ${DEAF:-0})) || exit 1
        ;;
    'requeue 7')
        echo "$*" >>asked.txt
        (($(wc -l <asked.txt) > 2)) || { echo 'Unable to contact slurm controller' >&2; exit 1; }
        ;;
esac
END_OF_PROGRAM

# expect_requeued AFTER: in the third attempt.
expect_requeued() {
    expect_status 75
    [[ $(cat asked.txt) == $'requeue 7\nrequeue 7\nrequeue 7' ]] || fail "$1 Slurm was asked: $(cat asked.txt); $(cat log.txt)"
    ! grep -q 'could not be requeued' log.txt || fail "requeued, and the log says it is not: $(cat log.txt)"
    rm asked.txt
}

job_with
expect_requeued 'with work left'
rm guards.txt
job_with REQUEUE=0 SLURM_JOB_NAME=sweep
expect_requeued 'without a successor'
[[ $(sort -u guards.txt) == 'scontrol requeue' ]] || fail "the guards would: $(cat guards.txt)"

# expect_submitted WHEN VARIABLE=VALUE...: successors, after so many attempts to give the job its name.
expect_submitted() {
    rm -f named.txt submitted.txt
    job_with REQUEUE=0 SLURM_JOB_NAME=sweep QUEUES=yes "${@:2}"
    [[ $(cat submitted.txt 2>/dev/null) == "$1" ]] || fail "submitted '$(cat submitted.txt)', not '$1': $(cat log.txt)"
}
expect_submitted 'after 3' DEAF=2
expect_status 75
expect_in_log 'work is left; job 8 goes on'
[[ ! -e asked.txt ]] || fail "there is a successor, and Slurm was asked: $(cat asked.txt)"
rm guards.txt
expect_submitted 'after 1'
[[ $(sort -u guards.txt) == scancel ]] || fail "the guards would: $(cat guards.txt)"
expect_submitted '' DEAF=99
expect_requeued 'without a name'
expect_submitted $'after 1\nafter 2' GONE=yes
expect_in_log 'job 8, which waited to go on from here, is no longer there'

started=$SECONDS
job_with HANGS=yes SLURM_JOB_END_TIME=$(($(date +%s) + 4))
expect_requeued 'with ranks that hang'
expect_in_log 'the time is over, and the ranks have not ended'
((SECONDS - started < 20)) || fail "the script waited $((SECONDS - started)) s for ranks that hang"

# expect_cancelled SUCCESSOR VARIABLE=VALUE...: by a job that is refused.
expect_cancelled() {
    rm -rf named.txt submitted.txt cancelled.txt out.h5.d
    job_with REQUEUE=0 SLURM_JOB_NAME=sweep QUEUES=yes ENDS=2 "${@:2}"
    expect_status 2
    [[ $(cat cancelled.txt 2>/dev/null) == "$1" ]] || fail "cancelled '$(cat cancelled.txt)', not '$1': $(cat log.txt)"
}
stand_in stat <<<'date +%N' # a lock that beats
expect_cancelled '' WAITS=yes HOLDER=6
expect_cancelled '' WAITS=yes # and nobody at work: it may be that one's turn next
expect_cancelled 8 HOLDER=6  # nobody else has queued it

# The controller is so slow that the time is over when there are no ranks yet.
rm -rf out.h5.d asked.txt
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') printf '%s\n' node1 node2 node3 node10 ;;
    'show job') echo "JobId=7 Requeue=0 Restarts=0" ;;
    'update JobId=7') kill -USR1 "$PPID" ;;
esac
END_OF_PROGRAM
for times in {1..4}; do
    job_with SLURM_JOB_NAME=sweep ENDS=0
    expect_status $((times < 4 ? 75 : 1))
done
expect_in_log '4 starts in a row have brought nothing new on disk: given up'
