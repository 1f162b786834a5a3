#!/usr/bin/env bash
# Slurm's controller may be away for some minutes, as when it is upgraded: a job whose ranks end then is requeued when it
# is back, and one that starts then waits to learn where its program is.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<<'touch away.txt; exit 75'
stand_in sleep <<<'[[ $1 != 10 ]] || echo 10 >>slept.txt; exec /bin/sleep 0.01'
stand_in scontrol <<'END_OF_PROGRAM'
[[ "$1 $2" != 'show hostnames' ]] || { printf '%s\n' node1 node2 node3 node10; exit 0; }
if [[ -e away.txt ]]; then
    (($(cat slept.txt 2>/dev/null | wc -l) >= ${BACK:-18})) || { echo 'Unable to contact slurm controller (connect failure)' >&2; exit 1; }
fi
case "$1 $2" in
    'show job') echo "JobId=7 Requeue=1 Restarts=0" ;;
    requeue*) echo "$*" >>asked.txt ;;
esac
END_OF_PROGRAM
job_with BACK=4
expect_status 75
[[ $(cat asked.txt 2>/dev/null) == 'requeue 7' ]] || fail "away for 40 s, and asked: $(cat asked.txt); $(cat log.txt)"
rm -f asked.txt away.txt slept.txt
job_with BACK=18 # three minutes
expect_status 75
[[ $(cat asked.txt 2>/dev/null) == 'requeue 7' ]] || fail "away for three minutes, 2 hours left, and asked: $(cat asked.txt); $(cat log.txt)"

# The program lies beside the script, whose place only Slurm knows.
stand_in mpirun <<<'exit 75'
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') printf '%s\n' node1 node2 node3 node10 ;;
    'show job')
        echo >>looked.txt
        (($(wc -l <looked.txt) > 8)) || exit 1
        printf '%s\n' "JobId=7 JobName=sweep" "   Requeue=1 Restarts=1 BatchFlag=1" "   Command=$PWD/placed/slurm/sweep.sbatch job.toml out.h5" ;;
    requeue*) echo "$*" >>asked.txt ;;
esac
END_OF_PROGRAM
mkdir placed; cp -rL root/slurm root/build placed/
job_with ISOGRID_ROOT= SLURM_SUBMIT_DIR=/
expect_status 75
