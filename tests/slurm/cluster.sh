#!/usr/bin/env bash
# A real Slurm cluster of two nodes on this machine, all of it in one folder and on loopback:
#   cluster.sh start FOLDER    munged, slurmctld and a slurmd a node; returns when both nodes are idle
#   cluster.sh env FOLDER      the line to eval before sbatch, squeue, scontrol
#   cluster.sh cut FOLDER NODE     ends all that runs on a node at once, as a power cut would
#   cluster.sh restore FOLDER NODE brings such a node back
#   cluster.sh hold FOLDER NODE    kills the node's slurmd alone and says that the node is down, as the controller would
#                              after half a minute: jobs on it run on, and nobody knows of them
#   cluster.sh release FOLDER NODE lets it start again
#   cluster.sh drop FOLDER NODE    pulls a node's cable: all on it runs on, and reaches nobody
#   cluster.sh join FOLDER NODE    plugs it in again
#   cluster.sh stop FOLDER     ends every process it started and removes FOLDER
#   cluster.sh check           exit 77 and the reason when it could not work here
# Each node has a host name, a process table and a /dev/shm of its own (namespaces), so that MPI takes it for another
# machine, and so that ending the node's first process ends everything on it, as a power cut would. Started within
#   unshare --net env ISOGRID_OWN_NETWORK=yes ...
# it gives each node a network of its own too, with a cable to a switch in the one where the controller is. What
# ISOGRID_NODE_MOUNT says to `mount`, the place last, is mounted on each node by itself.
set -euo pipefail

nodes=(node1 node2)
cpus=4 # as Slurm is told, whatever the machine has
cables=${ISOGRID_OWN_NETWORK:-}
switch=isogrid0

fail() {
    echo "cluster.sh: $*" >&2
    exit 1
}

check() {
    local tool
    ((EUID == 0)) || { echo "skipped: not root (namespaces and munge need it) run as root"; exit 77; }
    for tool in munged slurmctld slurmd sbatch unshare ss ip; do
        [[ -n $(command -v "$tool") ]] || { echo "skipped: no $tool (a package is missing) ./dev test installs it"; exit 77; }
    done
    unshare --uts --mount --pid --fork --mount-proc true 2>/dev/null ||
        { echo "skipped: no namespaces (unshare is not permitted here) run on a machine that permits it"; exit 77; }
}

# address NAME: of a node, or of the controller.
address() {
    if [[ -z $cables ]]; then echo 127.0.0.1; elif [[ $1 == node* ]]; then echo "10.77.0.${1#node}"; else echo 10.77.0.254; fi
}

start_network() {
    ip link set lo up
    ip link add "$switch" type bridge
    ip addr add "$(address controller)/24" dev "$switch"
    ip link set "$switch" up
}

# plug NODE: a cable from the switch, under the node's name, to the node's eth0.
plug() {
    local first
    until first=$(pgrep -P "$(cat "$folder/run/$1.pid")"); do sleep 0.05; done
    ip link add "$1" type veth peer name eth0 netns "$first"
    ip link set "$1" master "$switch" up
}

# The first of three free ports: controller, node1, node2.
free_ports() {
    local base
    for _ in {1..50}; do
        base=$((20000 + RANDOM % 1000 * 10))
        [[ -n $(ss -Hltn "sport >= :$base and sport <= :$((base + ${#nodes[@]}))") ]] || { echo "$base"; return; }
    done
    fail "no three free ports in a row"
}

write_configuration() {
    local port node
    port=$(free_ports)
    {
        echo "127.0.0.1 localhost"
        echo "$(address controller) $(hostname)"
        for node in "${nodes[@]}"; do echo "$(address "$node") $node"; done
    } >"$folder/hosts"
    cat >"$folder/slurm.conf" <<END
ClusterName=isogrid
SlurmctldHost=$(hostname)($(address controller))
SlurmctldPort=$port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
CredType=cred/munge
# cred_expire is also how long a requeued job waits before it may start again: 120 s by default, at least 5
AuthInfo=socket=$folder/run/munge.socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
TmpFS=$folder/tmp.%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
# A node that is not heard of for so long is down, and jobs that need it are requeued.
SlurmdTimeout=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=3
SchedulerParameters=sched_interval=2,sched_min_interval=100000,batch_sched_delay=0
END
    for node in "${nodes[@]}"; do
        port=$((port + 1))
        echo "NodeName=$node NodeHostname=$node NodeAddr=$(address "$node") Port=$port CPUs=$cpus RealMemory=2000"
    done >>"$folder/slurm.conf"
    # Jobs in `urgent` preempt the others: those in `main` are requeued, those in `cancelled` are not.
    cat >>"$folder/slurm.conf" <<END
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=cancelled Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=CANCEL GraceTime=10
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
END
}

# --kill-child: when unshare dies, the kernel ends the node's first process and with it the whole namespace. That
# process is a shell, which starts slurmd again when somebody has killed it, but not while it is held down.
start_node() {
    local node=$1
    mkdir -p "$folder/spool.$node" "$folder/tmp.$node"
    # shellcheck disable=SC2016  # the inner shell expands these
    setsid unshare --uts --mount --pid ${cables:+--net} --fork --kill-child --mount-proc --propagation private bash -c '
        set -e
        hostname "$2"
        if [[ -n ${3:-} ]]; then
            until ip link set eth0 up 2>/dev/null; do sleep 0.05; done
            ip addr add "$3/24" dev eth0
            ip link set lo up
        fi
        mount --bind "$1/hosts" /etc/hosts
        mount -t tmpfs -o size=1g tmpfs /dev/shm
        if [[ -n $4 ]]; then
            umount -l "${4##* }" 2>/dev/null || true
            mount $4
        fi
        while true; do
            if [[ -e $1/run/$2.held ]]; then sleep 0.2; continue; fi
            slurmd -D -N "$2" -f "$1/slurm.conf" || true
            sleep 0.2
        done' \
        node "$folder" "$node" "${cables:+$(address "$node")}" "${ISOGRID_NODE_MOUNT:-}" </dev/null >>"$folder/log/$node.out" 2>&1 &
    echo $! >"$folder/run/$node.pid"
    [[ -z $cables ]] || plug "$node"
}

start() {
    check
    [[ ! -e $folder ]] || fail "$folder exists (a cluster may be running there) cluster.sh stop $folder"
    mkdir -p "$folder"/{run,log,state}
    folder=$(cd "$folder" && pwd)
    trap 'stop' ERR
    [[ -z $cables ]] || start_network
    write_configuration
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    munged --force --key-file="$folder/munge.key" --socket="$folder/run/munge.socket" \
        --pid-file="$folder/run/munged.pid" --seed-file="$folder/run/munge.seed" \
        --log-file="$folder/log/munged.log" 2>"$folder/log/munged.out"
    slurmctld -f "$folder/slurm.conf" 2>"$folder/log/slurmctld.out"
    for node in "${nodes[@]}"; do start_node "$node"; done
    export SLURM_CONF=$folder/slurm.conf
    for _ in {1..150}; do
        (($(sinfo -h -N -p main -t idle -o %N 2>/dev/null | wc -l) == ${#nodes[@]})) && return
        sleep 0.1
    done
    tail -n 5 "$folder"/log/* >&2
    stop
    fail "the nodes did not come up in 15 s"
}

# The slurmd of a node, by its command line; its process id is another one inside the node.
slurmd_of() { pgrep -f -x "slurmd -D -N $1 -f $folder/slurm.conf"; }

hold() {
    touch "$folder/run/$1.held"
    kill -KILL "$(slurmd_of "$1")"
    SLURM_CONF=$folder/slurm.conf scontrol update NodeName="$1" State=DOWN Reason=lost
}

release() {
    export SLURM_CONF=$folder/slurm.conf
    rm "$folder/run/$1.held"
    # Its slurmd may have told that it is back before Slurm is asked to take it back.
    scontrol update NodeName="$1" State=RESUME 2>"$folder/log/release.out" ||
        [[ $(sinfo -h -n "$1" -o %T) != *down* ]] || fail "$1 stays down: $(cat "$folder/log/release.out")"
}

# Ends the process in a pid file, if it is still the one we started: its command line names the folder.
end_process() {
    local file=$1 signal=$2 process
    process=$(cat "$file" 2>/dev/null) || return 0
    grep -qF -- "$folder" "/proc/$process/cmdline" 2>/dev/null || return 0
    kill "-$signal" "$process" 2>/dev/null || return 0
    for _ in {1..100}; do
        kill -0 "$process" 2>/dev/null || return 0
        sleep 0.05
    done
    kill -KILL "$process" 2>/dev/null || true
}

stop() {
    [[ -d $folder/run ]] || return 0
    folder=$(cd "$folder" && pwd)
    for node in "${nodes[@]}"; do end_process "$folder/run/$node.pid" KILL; done
    end_process "$folder/run/slurmctld.pid" TERM
    end_process "$folder/run/munged.pid" TERM
    [[ -z $cables ]] || ip link delete "$switch" 2>/dev/null || true
    rm -rf "$folder"
}

folder=${2:-}
node=${3:-}
[[ ! -d $folder ]] || folder=$(cd "$folder" && pwd)
case ${1:-},$folder in
    check,) check ;;
    start,?*) start ;;
    env,?*) echo "export SLURM_CONF=$(cd "$folder" && pwd)/slurm.conf" ;;
    stop,?*) stop ;;
    cut,?*) end_process "$folder/run/$node.pid" KILL ;;
    restore,?*) start_node "$node" ;;
    hold,?*) hold "$node" ;;
    release,?*) release "$node" ;;
    drop,?*) ip link set "$node" down ;;
    join,?*) ip link set "$node" up ;;
    *) fail "usage: cluster.sh start|env|stop FOLDER, cluster.sh cut|restore|hold|release|drop|join FOLDER NODE, cluster.sh check" ;;
esac
