#!/usr/bin/env bash
# slurm/sweep.sbatch sees to it that the sweep goes on though ranks do not end when the time is over, the controller does
# not answer at once, no successor could be queued, or the one that was is gone. None is queued before the job has the
# name that the successor waits for: it would start at once.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
[[ -z ${HANGS:-} ]] || { trap '' USR1 TERM; exec /bin/sleep 60; }
exit 75
END_OF_PROGRAM
stand_in sleep <<<'exec /bin/sleep 0.1'
stand_in sbatch <<'END_OF_PROGRAM'
[[ -n ${QUEUES:-} ]] || exit 1
echo "after $(wc -l <named.txt)" >>submitted.txt
echo 8
END_OF_PROGRAM
stand_in squeue <<'END_OF_PROGRAM'
[[ -z ${GONE:-} ]] || { echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1; }
[[ $* != *'-j 8'* ]] || echo 8
END_OF_PROGRAM
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
job_with REQUEUE=0 SLURM_JOB_NAME=sweep
expect_requeued 'without a successor'

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
expect_submitted '' DEAF=99
expect_requeued 'without a name'
expect_submitted $'after 1\nafter 2' GONE=yes
expect_in_log 'job 8, which waited to go on from here, is no longer there'

started=$SECONDS
job_with HANGS=yes SLURM_JOB_END_TIME=$(($(date +%s) + 4))
expect_requeued 'with ranks that hang'
expect_in_log 'the time is over, and the ranks have not ended'
((SECONDS - started < 20)) || fail "the script waited $((SECONDS - started)) s for ranks that hang"
