#!/usr/bin/env bash
# slurm_endings.sh PROGRAMS KIND COUNT [SEED]: a sweep as one Slurm job on two nodes, which COUNT times ends as KIND says:
#   walltime    its time runs out: told by Slurm's signal, or (every fourth) by nobody
#   preemption  an urgent job takes its nodes: it is requeued
#   cancellation  the same in a partition where it is cancelled: its successor goes on
#   power       a node loses its power and comes back
#   slurmd      the slurmd of its node is killed: it runs on, and is started again on the other node
#   link        a node's cable is pulled, for so long that Slurm takes the node for lost or not, and plugged in again
# Nobody does anything but wait (and release what Slurm holds): the batch script goes on by itself. In the end every
# trial is there, with the digest of an undisturbed run, and none that was finished was lost on the way.
if [[ $2 == link && -z ${ISOGRID_OWN_NETWORK:-} ]]; then
    if unshare --net true; then exec unshare --net env ISOGRID_OWN_NETWORK=yes bash "$0" "$@"; fi
    echo "skipped: no network of its own (unshare --net is not permitted here) run on a machine that permits it"
    exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../cli/small_study.sh" "$1"
kind=$2 count=$3
RANDOM=${4:-1}
cluster_tool=$here/../slurm/cluster.sh
"$cluster_tool" check

own=$(mktemp -d) # sockets of the cluster, which a network file system may not take
cluster=$own/cluster
trap '"$cluster_tool" stop "$cluster"; rm -rf "$scratch" "$own"' EXIT
"$cluster_tool" start "$cluster"
eval "$("$cluster_tool" env "$cluster")"
mkdir -p root/build
ln -s "$programs" root/build/bin
ln -s "$repository/slurm" root/slurm
export ISOGRID_ROOT=$scratch/root ISOGRID_LAUNCHER=mpirun # srun over nodes fails now and then under load
# Endings come within seconds of each other, before a start has brought anything: that is no reason to give up here.
export ISOGRID_PATIENCE=30 ISOGRID_FAILURES=100 ISOGRID_PAUSE=0

make_study
long_study endings.toml
# The job of a dead slurmd starts again after 5 s: the old one should still be at it.
[[ $kind != slurmd ]] || sed -i "s/2e$long, 5e$long/8e$long, 20e$long/" endings.toml
timeout 500 "$isogrid" run endings.toml --archive whole.h5 >out.txt || fail "the undisturbed run ended with status $?"

[[ $kind != link ]] || export OMPI_MCA_btl_tcp_if_include=eth0 OMPI_MCA_oob_tcp_if_include=eth0 # the cables

finished() { { find cut.h5.d/trials -name '*.h5' ! -name '*.failed.h5' -printf '%f\n' 2>/dev/null || true; } | sort; }
states() { squeue -h -o '%i %T %r' 2>/dev/null || true; }
running() { [[ -n $(squeue -h -p main,cancelled -t RUNNING -o %i 2>/dev/null) ]]; }
there() { [[ -n $(squeue -h -o %i 2>/dev/null) ]]; }

# wait_until SECONDS COMMAND...
wait_until() {
    local tries=$((5 * $1))
    shift
    while ! "$@"; do
        ((tries-- > 0)) || {
            states >&2
            cat sweep.log "$cluster/log/slurmctld.log" >&2 || true
            fail "$* is not so after a long time"
        }
        sleep 0.2
    done
}

archive_is_there() { [[ -e cut.h5 ]] && ! there; }
trains() { running && [[ -e cut.h5.d/lock ]]; }
trains_or_done() { trains || archive_is_there || { release_held; false; }; }

submit() {
    local partition=main
    nodes=2 per_node=2
    flags=(--time 10)
    case $kind in
        walltime) if ((endings % 4 == 3)); then flags=(--time 1 --signal=B:USR1@1); else flags=(--time 1 --signal=B:USR1@40); fi ;;
        cancellation) partition=cancelled ;;
        slurmd) nodes=1 per_node=3 ;;
    esac
    rm -rf cut.h5 cut.h5.d
    sbatch --parsable --partition "$partition" --nodes "$nodes" --ntasks-per-node "$per_node" "${flags[@]}" \
        --output sweep.log "$repository/slurm/sweep.sbatch" endings.toml cut.h5 >submitted.txt
    sweeps=$((sweeps + 1))
}

node_of_job() { squeue -h -t RUNNING -o %N | head -n 1; }
starts() { grep -c '^sweep.sbatch: .*, start \|^sweep.sbatch: starting again' sweep.log || true; }
another_start() { (($(starts) > $1)) || archive_is_there || { release_held; false; }; }

# What an administrator does (docs/operations.md): Slurm holds a job whose nodes were lost five times, and one that it
# launched on a node which was back with what it had run before still there; such a node it drains.
release_held() {
    sinfo -h -N -o '%N %E' 2>/dev/null | awk '/Duplicate jobid/ {print $1}' | sort -u |
        xargs -r -I '{}' scontrol update 'NodeName={}' State=RESUME || true
    squeue -h -o '%i %r' 2>/dev/null | awk '/JobHoldMaxRequeue|launch failed requeued held/ {print $1}' |
        xargs -r -n 1 scontrol release || true
}

disturb() {
    local node before
    before=$(starts)
    case $kind in
        walltime) ;; # it comes by itself
        preemption | cancellation)
            sbatch --parsable --partition urgent --exclusive --nodes 2 --time 1 --output /dev/null --wrap 'sleep 1' >/dev/null
            ;;
        power)
            node=node$((1 + RANDOM % 2))
            "$cluster_tool" cut "$cluster" "$node"
            sleep $((RANDOM % 8))
            "$cluster_tool" restore "$cluster" "$node"
            ;;
        slurmd)
            node=$(node_of_job)
            [[ -n $node ]] || return 0
            "$cluster_tool" hold "$cluster" "$node"
            ;;
        link) # the sweep may bear it without another start
            node=node$((1 + RANDOM % 2))
            "$cluster_tool" drop "$cluster" "$node"
            sleep $((RANDOM % 60))
            "$cluster_tool" join "$cluster" "$node"
            wait_until 150 trains_or_done
            return
            ;;
    esac
    wait_until 150 another_start "$before"
    [[ $kind != slurmd ]] || "$cluster_tool" release "$cluster" "$node"
}

endings=0 sweeps=0 lost=
while ((endings < count)); do
    submit
    while :; do
        wait_until 150 trains_or_done
        ! archive_is_there || break
        ((endings < count)) || { sleep 0.5; continue; }
        sleep "$((RANDOM % 2)).$((RANDOM % 10))"
        running || continue
        finished >before.txt
        disturb
        finished >after.txt
        if [[ ! -e cut.h5 ]]; then
            lost=$(comm -23 before.txt after.txt)
            [[ -z $lost ]] || fail "finished trials are gone: $lost"
            endings=$((endings + 1))
        fi
    done
    grep -q '^sweep.sbatch: done' sweep.log || { cat sweep.log >&2; fail "the job has not done it"; }
    expect_same_digests whole.h5 cut.h5
    [[ ! -e cut.h5.d/trials ]] || fail "the run folder is still there"
    grep '^sweep.sbatch' sweep.log >>all.log
    rm sweep.log
done
said() { grep -c "$1" all.log || true; }
echo "$endings endings by $kind in $sweeps sweeps ($(said requeueing) requeued, $(said 'goes on') followed by a job," \
    "$(said 'starting again') started again inside the allocation), 0 trials lost, equal digests"
