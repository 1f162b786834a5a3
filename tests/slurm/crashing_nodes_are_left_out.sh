#!/usr/bin/env bash
# slurm/sweep.sbatch, when its ranks have died, starts again without the nodes on which programs crashed in two different
# trials. Slurm and mpirun are stand-ins here: they say what a cluster of four nodes would, and keep what they are asked.
set -euo pipefail
script=$(cd "$(dirname "$0")/../../slurm" && pwd)/sweep.sbatch
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

mkdir -p bin root/build/bin out.h5.d/attempts
printf '#!/bin/sh\n' >root/build/bin/isogrid
chmod +x root/build/bin/isogrid
stand_in scontrol <<'END_OF_PROGRAM'
case "$1 $2" in
    'show hostnames') printf '%s\n' node1 node2 node3 node10 ;;
    'show job') echo "JobId=7 Requeue=1 Restarts=0 PreemptMode=REQUEUE" ;;
esac
END_OF_PROGRAM
stand_in srun </dev/null # every node answers
stand_in mpirun <<'END_OF_PROGRAM'
echo "$*" >>started.txt
(($(wc -l <started.txt) > 1)) # the first start ends as when a rank has died
END_OF_PROGRAM

# node1: two trials. node2: two trials, under its full name. node3: one trial twice. node10: one crash, and other ends.
printf '%s\n' 'crashed node1 1 SIGSEGV' 'crashed node3 1 SIGBUS' 'crashed node3 1 SIGBUS' >out.h5.d/attempts/a
printf '%s\n' 'crashed node1 2 SIGILL' 'crashed node2.cluster 1 SIGILL' >out.h5.d/attempts/b
printf '%s\n' 'crashed node2.cluster 1 SIGFPE' 'failed node10 1 it crashed node10 ' >out.h5.d/attempts/c
printf '%s\n' 'crashed node10 1 SIGSEGV' 'out_of_memory node3 1 crashed node3 ' >out.h5.d/attempts/d

env PATH="$scratch/bin:$PATH" ISOGRID_ROOT="$scratch/root" ISOGRID_LAUNCHER=mpirun \
    SLURM_JOB_ID=7 SLURM_JOB_NODELIST=node[1-3,10] SLURM_JOB_NUM_NODES=4 SLURM_NTASKS=8 SLURM_TASKS_PER_NODE='2(x4)' \
    SLURM_JOB_END_TIME=$(($(date +%s) + 7200)) bash "$script" job.toml out.h5 >log.txt 2>&1 ||
    fail "the script ended with status $?: $(cat log.txt)"

mapfile -t started <started.txt
((${#started[@]} == 2)) || fail "${#started[@]} starts: $(cat log.txt)"
[[ ${started[0]} != *--host* ]] || fail "the first start is on all nodes, not: ${started[0]}"
[[ ${started[1]} == *"--host node3:2,node10:2 -n 4 "* ]] || fail "the second start is: ${started[1]}"
for node in node1 node2; do
    grep -q "$node is left out (two trials crashed on it)" log.txt || fail "the log does not say so: $(cat log.txt)"
done
