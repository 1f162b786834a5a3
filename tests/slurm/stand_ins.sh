# What the tests of slurm/sweep.sbatch without a batch system share: a scratch folder with a cluster of four nodes that
# is only said to be there. Source it; it changes to the scratch folder, which goes away at the end.
# shellcheck shell=bash
set -euo pipefail
script=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../slurm" && pwd)/sweep.sbatch
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# stand_in NAME: a program whose text comes on standard input.
stand_in() {
    { echo '#!/bin/bash'; cat; } >"bin/$1"
    chmod +x "bin/$1"
}

mkdir -p bin root/build/bin
ln -s "$(dirname "$script")" root/slurm
printf '#!/bin/sh\n' >root/build/bin/isogrid
chmod +x root/build/bin/isogrid
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') printf '%s\n' node1 node2 node3 node10 ;;
    'show job') echo "JobId=7 Requeue=1 Restarts=0 PreemptMode=REQUEUE" ;;
esac
END_OF_PROGRAM
stand_in srun </dev/null # every node answers

# job_with VARIABLE=VALUE...: the script as a job that has two hours; what it says is in log.txt, its status in status.
job_with() {
    status=0
    env PATH="$scratch/bin:$PATH" ISOGRID_ROOT="$scratch/root" ISOGRID_LAUNCHER=mpirun ISOGRID_PAUSE=0 \
        SLURM_JOB_ID=7 SLURM_JOB_NODELIST=node[1-3,10] SLURM_JOB_NUM_NODES=4 SLURM_NTASKS=8 SLURM_TASKS_PER_NODE='2(x4)' \
        SLURM_JOB_END_TIME=$(($(date +%s) + 7200)) "$@" bash "$script" job.toml out.h5 >log.txt 2>&1 || status=$?
}

# sweep VARIABLE=VALUE...: the same, and it is to end well.
sweep() {
    job_with "$@"
    ((status == 0)) || fail "the script ended with status $status: $(cat log.txt)"
}

expect_status() { ((status == $1)) || fail "exit status $status instead of $1: $(cat log.txt)"; }
expect_in_log() { grep -q -- "$1" log.txt || fail "not in the log: $1; it says: $(cat log.txt)"; }
