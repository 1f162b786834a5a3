# The job that goes on where this one cannot be requeued: one waits in the queue while this one runs.
# shellcheck shell=bash
chains=        # yes: this job needs one
successor=     # its number
found_waiting= # yes: this start has not queued it

# Where a preempted job is cancelled nobody requeues it: its successor must be in the queue before that can
# happen.
needs_successor() {
    case ${ISOGRID_CHAIN:-} in
        yes) return 0 ;;
        no) return 1 ;;
    esac
    [[ $(fact Requeue) != 0 ]] || return 0
    local modes qos
    for _ in {1..5}; do # the controller may be busy
        modes=$(scontrol show partition "${SLURM_JOB_PARTITION:-}" 2>/dev/null) && break
        sleep 2
    done
    [[ ! $modes =~ PreemptMode=[A-Z,]*CANCEL ]] || return 0
    # What its QOS says goes before (PreemptType=preempt/qos).
    qos=$(fact QOS)
    modes=$(timeout 30 sacctmgr -nP show qos where name="${qos:-none}" format=PreemptMode 2>/dev/null)
    [[ ${modes,,} == *cancel* ]]
}

# see_to_successor: sets chains, and successor where it can. What Slurm has not said, as while its controller
# fails over, is asked again.
see_to_successor() {
    [[ -n $facts ]] || ask_for_facts
    [[ $chains == yes ]] || ! needs_successor || chains=yes
    [[ $chains != yes || -n $successor ]] || queue_successor
}

# It starts when no job of its name, one a sweep, is there any more. So this one must have that name first, or
# the other starts at once, is refused, and nobody goes on.
queue_successor() {
    local number name spare=-600
    number=$(realpath -m "$archive" | cksum)
    name=${SLURM_JOB_NAME%%.*}.${number%% *}
    name=${name//[!A-Za-z0-9._-]/_} # squeue takes what stands between commas for names of their own
    [[ $(fact Requeue) == 0 ]] || spare=90 # seconds, for requeueing, the other way out
    insist "$spare" scontrol update JobId="$me" JobName="$name" || return
    # One may wait already, when this job was started again.
    successor=$(squeue -h -t PENDING -u "$(id -un)" -n "$name" -o %i 2>/dev/null | head -n 1)
    found_waiting=${successor:+yes}
    [[ -n $successor ]] || successor=$(submit_successor "$name")
    [[ -n $successor ]] && say "job $successor waits to go on from here"
}

submit_successor() { # NAME; prints its number
    local limit output
    limit=$(fact TimeLimit) output=$(line StdOut)
    # shellcheck disable=SC2086  # ISOGRID_SBATCH holds words
    env -u SLURM_RESTART_COUNT -u SLURM_JOB_END_TIME ISOGRID_GOES_ON_FOR="$SLURM_JOB_ID ${ISOGRID_GOES_ON_FOR:-}" \
        sbatch --parsable --export=ALL --dependency=singleton --job-name="$1" --nodes="$SLURM_JOB_NUM_NODES" \
        ${SLURM_NTASKS:+--ntasks="$SLURM_NTASKS"} \
        ${SLURM_NTASKS_PER_NODE:+--ntasks-per-node="$SLURM_NTASKS_PER_NODE"} \
        ${SLURM_CPUS_PER_TASK:+--cpus-per-task="$SLURM_CPUS_PER_TASK"} ${limit:+--time="$limit"} \
        ${SLURM_JOB_PARTITION:+--partition="$SLURM_JOB_PARTITION"} \
        ${SLURM_JOB_ACCOUNT:+--account="$SLURM_JOB_ACCOUNT"} \
        ${output:+--output="$output"} ${ISOGRID_SBATCH:-} "$0" "$job" "$archive" \
        ${options_of_later_starts[@]+"${options_of_later_starts[@]}"}
}

# Somebody may have cancelled it. A controller that does not answer has not lost it.
successor_is_there() {
    local found
    if found=$(squeue -h -j "$successor" -o %i 2>&1); then
        [[ -n $found ]]
    else
        [[ $found != *'Invalid job id'* ]]
    fi
}

withdraw_successor() {
    [[ -z $successor ]] || scancel "$successor"
    successor=
}
