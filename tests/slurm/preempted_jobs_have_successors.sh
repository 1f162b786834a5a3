#!/usr/bin/env bash
# Jobs that Slurm cancels when it preempts them have a successor in the queue before there are ranks, whatever way the
# partition or the QOS says so. It has what this one has, and is no other's.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<<'[[ -e submitted.txt ]] || echo none >alone.txt; exit 75'
stand_in sleep <<<'exec /bin/sleep 0.01'
stand_in sbatch <<<'printf "%s\n" "$*" >>submitted.txt; echo 8'
stand_in squeue <<<'printf "%s\n" "$*" >>looked_for.txt; [[ $* != *"-j 8"* ]] || echo 8'
stand_in sacctmgr <<<'[[ $* == *"show qos"*scavenger* ]] && echo "$QOS_MODE"'
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') printf '%s\n' node1 node2 node3 node10 ;;
    'show job') printf '%s\n' "JobId=7 JobName=sweep" "   Priority=1 Nice=0 Account=a QOS=scavenger" "   Requeue=1 Restarts=0 BatchFlag=1" ;;
    'show partition')
        echo >>looked.txt
        (($(wc -l <looked.txt) > ${DEAF:-0})) || { echo 'slurm_load_partitions error: Socket timed out on send/recv operation' >&2; exit 1; }
        echo "   OverTimeLimit=NONE PreemptMode=${MODE:-OFF}" ;;
esac
END_OF_PROGRAM
expect_successor() {
    rm -f submitted.txt alone.txt looked.txt
    job_with SLURM_JOB_NAME=sweep SLURM_JOB_PARTITION=main "${@:2}"
    [[ $([[ -e alone.txt ]] && echo no || echo yes) == "$1" ]] ||
        fail "a successor waits while ranks run: not $1, with ${*:2}: $(cat log.txt)"
}
expect_successor yes MODE=CANCEL
expect_successor no MODE=REQUEUE QOS_MODE=cluster
expect_successor yes MODE=CANCEL DEAF=1
expect_successor yes MODE=GANG,CANCEL
expect_successor yes MODE=WITHIN,CANCEL
expect_successor yes MODE=REQUEUE QOS_MODE=cancel

# ISOGRID_ROOT reaches it though a site's SBATCH_EXPORT says NONE.
grep -q -- '--export=ALL' submitted.txt || fail "a successor without ISOGRID_ROOT: $(cat submitted.txt)"

# squeue would take what stands between commas for names, and a stranger's job of one of them for the successor.
rm looked_for.txt
job_with SLURM_JOB_NAME=lr,wd SLURM_JOB_PARTITION=main MODE=CANCEL
grep -q -- '-n lr_wd\.' looked_for.txt || fail "the successor is looked for as: $(cat looked_for.txt)"
