#!/usr/bin/env bash
# slurm/sweep.sbatch sees to it that the sweep goes on though ranks do not end when the time is over, the controller does
# not answer at once, or no successor could be queued.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
[[ -z ${HANGS:-} ]] || { trap '' USR1 TERM; exec /bin/sleep 60; }
exit 75
END_OF_PROGRAM
stand_in sleep <<<'exec /bin/sleep 0.1'
stand_in sbatch <<<'exit 1'
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') printf '%s\n' node1 node2 node3 node10 ;;
    'show job') echo "JobId=7 Requeue=${REQUEUE:-1} Restarts=0" ;;
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
started=$SECONDS
job_with HANGS=yes SLURM_JOB_END_TIME=$(($(date +%s) + 4))
expect_requeued 'with ranks that hang'
expect_in_log 'the time is over, and the ranks have not ended'
((SECONDS - started < 20)) || fail "the script waited $((SECONDS - started)) s for ranks that hang"
