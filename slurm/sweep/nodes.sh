# The nodes of the job: those that can be started on, and guards against the loss of the one that this script
# is on.
# shellcheck shell=bash

on_one_node=(srun --mpi=none --nodes=1 --ntasks=1) # a step beside the ranks

# look_for_nodes: sets nodes. One is left out when it does not answer, when it does not see the program or the
# job file (a file system that is not mounted), when programs have crashed on it or have lost its card in two
# different trials, or when it lacks what the others have.
look_for_nodes() {
    local node answering asked=0
    mapfile -t answering < <(
        for node in "${all_nodes[@]}"; do
            # One step a node, and some hundred at once: none would have its answer in time.
            ((++asked <= 64)) || wait -n
            (answers "$node" && echo "$node") &
        done
        wait
    )
    nodes=()
    for node in "${all_nodes[@]}"; do
        if [[ " ${answering[*]-} " != *" $node "* ]]; then
            say "$node is left out (it does not answer, or does not see $job)"
        elif failed_twice "$node"; then
            say "$node is left out (two trials crashed, or lost their card, on it)"
        elif is_unfit "$node"; then
            say "$node is left out (it has lost what the others have, see above)"
        else
            nodes+=("$node")
        fi
    done
}
answers() {
    timeout 30 "${on_one_node[@]}" --nodelist="$1" test -x "$isogrid" -a -r "$job" </dev/null &>/dev/null
}
failed_twice() { (($(grep -lsE "^(crashed|card) $1(\\.[^ ]*)? " "$archive.d"/attempts/* | wc -l) >= 2)); }

# Noted by isogrid, for this start of the job: another may find a card that has been put back.
is_unfit() { grep -qsxF "$SLURM_JOB_ID.$SLURM_RESTART_COUNT" "$archive.d/unfit/$1" "$archive.d/unfit/$1".*; }

# With --no-kill Slurm takes a lost node from the job. Where that is the node of this script, it would keep
# the others until the time is over, with nobody at work on them: a step on each of the last two looks for
# that, lest one is lost.
guard_first_node() { # COMMAND that ends or requeues the job
    local node
    for node in "${all_nodes[@]:1}"; do
        [[ " ${all_nodes[*]: -2} " == *" $node "* ]] || continue
        "${on_one_node[@]}" --nodelist="$node" bash -c '
            while sleep 30; do
                facts=$(timeout 30 scontrol show job "$1") || continue
                host=$(printf "%s\n" "$facts" | sed -nE "s/^ *BatchHost=([^ ]+).*/\1/p")
                nodes=$(printf "%s\n" "$facts" | sed -nE "s/^ *NodeList=([^ ]+).*/\1/p")
                nodes=$(scontrol show hostnames "$nodes")
                [[ -n $host && -n $nodes ]] || continue
                [[ " ${nodes//[[:space:]]/ } " == *" $host "* ]] || $2 "$1"
            done' guard "$me" "$1" </dev/null &>/dev/null &
    done
}
