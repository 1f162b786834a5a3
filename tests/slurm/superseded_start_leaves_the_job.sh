#!/usr/bin/env bash
# A start of slurm/sweep.sbatch that runs on after Slurm has lost sight of it and started the job again does nothing to
# the job or its successor. But where the other start is on the same node the job is requeued: Slurm tells the ends of
# the two scripts apart by their nodes alone, and would take this one's for the end of the job.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
echo 1 >restarts.txt # meanwhile
echo "${UNREACHABLE:-0}" >unreachable.txt
[[ -z ${TOLD:-} ]] || { kill -TERM $PPID; /bin/sleep 0.2; }
exit "${ENDS:-1}"
END_OF_PROGRAM
stand_in sleep <<<'exec /bin/sleep 0.01'
stand_in sbatch <<<'echo 8'
stand_in scancel <<<'echo "scancel $*" >>asked.txt'
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') if [[ $3 == *'['* ]]; then printf '%s\n' node1 node2 node3 node10; else echo "$3"; fi ;;
    'show job')
        unreachable=$(<unreachable.txt)
        echo $((unreachable - 1)) >unreachable.txt
        ((unreachable <= 0)) || { echo 'Unable to contact slurm controller' >&2; exit 1; }
        echo "JobId=7 JobName=sweep"
        printf '   %s\n' "JobState=$STATE Reason=None" "Requeue=1 Restarts=$(<restarts.txt) BatchFlag=1" \
            "PreemptTime=None" "NodeList=node[1-3,10]" "BatchHost=node1"
        ;;
    show* | update*) ;;
    *) echo "$*" >>asked.txt ;;
esac
END_OF_PROGRAM

# expect_asked WHAT VARIABLE=VALUE...
expect_asked() {
    rm -rf asked.txt out.h5.d
    echo 0 | tee restarts.txt >unreachable.txt
    job_with "${@:2}"
    expect_status 1
    expect_in_log 'this is start 1 of a job that Slurm has started again since'
    [[ $(cat asked.txt 2>/dev/null) == "$1" ]] || fail "Slurm was asked '$(cat asked.txt)', not '$1': $(cat log.txt)"
}

expect_asked '' STATE=RUNNING SLURMD_NODENAME=node2
expect_asked 'requeue 7' STATE=RUNNING SLURMD_NODENAME=node1
expect_asked '' STATE=PENDING SLURMD_NODENAME=node1 # nothing of it runs yet
expect_asked '' STATE=COMPLETING SLURMD_NODENAME=node2 TOLD=yes ISOGRID_CHAIN=yes SLURM_JOB_NAME=sweep

# The node's link is out when the ranks end, and comes back while the script asks for one answer after the other.
for times in {1..4}; do expect_asked '' STATE=RUNNING SLURMD_NODENAME=node2 ENDS=75 UNREACHABLE=$times; done
expect_asked 'requeue 7' STATE=RUNNING SLURMD_NODENAME=node1 ENDS=75 UNREACHABLE=3
