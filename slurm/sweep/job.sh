# What Slurm knows of this job, and what is asked of it.
# shellcheck shell=bash

# The number of a job array, or of a job of several kinds of nodes, names all of its jobs; asked for it, Slurm
# shows all. A job that was submitted from a task of an array has that one's variables (see learn_of_job).
me=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
me=${me:-$SLURM_JOB_ID}
# In UTC: where clocks go back, a night has an hour twice.
record() { # [SECONDS in which Slurm must answer]
    TZ=UTC0 SLURM_TIME_FORMAT=standard timeout "${1:-0}" scontrol show job "$me" 2>/dev/null |
        awk -v RS= -v id="JobId=$SLURM_JOB_ID" '$1 == id'
}
record_alone() { [[ $(record) == *ArrayJobId=* ]] || record; } # of a job that is no task of an array
# No here-strings: before 5.1 bash keeps each in a file under /tmp, which may be full.
fact() { printf '%s\n' "$facts" | sed -nE "s/^(.* )?$1=([^ ]*).*/\2/p" | head -n 1; }
line() { printf '%s\n' "$facts" | sed -n "s/^ *$1=//p" | head -n 1; }
is_line_of() { [[ $'\n'$2$'\n' == *$'\n'"$1"$'\n'* ]]; } # LINE TEXT

# learn_of_job: sets restarts (nothing where Slurm does not say), all_nodes, tasks_of, what ask_for_facts sets,
# and SLURM_RESTART_COUNT, by which isogrid names this start.
facts='' restarts=''
learn_of_job() {
    local node part place=0 times tasks=${SLURM_TASKS_PER_NODE:-1}
    mapfile -t all_nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
    declare -gA tasks_of=()
    for part in ${tasks//,/ }; do # `2(x3),1` is 2, 2, 2 and 1
        times=1
        [[ ! $part =~ x([0-9]+) ]] || times=${BASH_REMATCH[1]}
        for node in "${all_nodes[@]:place:times}"; do tasks_of[$node]=${part%%[!0-9]*}; done
        place=$((place + times))
    done
    ask_for_facts
    restarts=$(fact Restarts)
    export SLURM_RESTART_COUNT=${restarts:-${SLURM_RESTART_COUNT:-0}}
}

# ask_for_facts: sets facts (the record of the job), whole (the seconds that this start has in all) and
# SLURM_JOB_END_TIME, before which isogrid stops by itself should nobody tell it. Slurm is asked: it need not set
# that variable, nor the one of the restarts, and a job has both from one that has submitted it.
ask_for_facts() {
    for _ in {1..5}; do # the controller may be busy
        facts=$(record)
        if [[ -z $facts && $me != "$SLURM_JOB_ID" ]]; then # a job that a task of an array has submitted?
            facts=$(me=$SLURM_JOB_ID record_alone)
            [[ -z $facts ]] || me=$SLURM_JOB_ID
        fi
        [[ -z $facts ]] || break
        sleep 2
    done
    if [[ -n $(fact EndTime) ]]; then
        read_end
    elif (($(seconds_left) < 0)); then # the variable is of the job that submitted this one
        unset SLURM_JOB_END_TIME
    fi
    export SLURM_JOB_END_TIME
    whole=$(($(seconds_left) + SECONDS))
}
# From facts; nothing where it is Unknown, as without a limit.
read_end() { SLURM_JOB_END_TIME=$(date -u -d "$(fact EndTime)" +%s 2>/dev/null) || SLURM_JOB_END_TIME=; }
seconds_left() { echo $((${SLURM_JOB_END_TIME:-$(($(date +%s) + 1000000))} - $(date +%s))); }

# What has become of the job meanwhile. Slurm starts a job again elsewhere when it has lost sight of its node, where
# this one may run on: it must then keep its hands off the job, which is the other's.
look_at_job() { # nothing has, where Slurm does not say
    local now
    now=$(record)
    ! is_of_another_start "$now" || leave_the_job
    heed_end "$now"
}
# It moves the end of a job that it has suspended, when that goes on, and of one whose limit somebody changes.
heed_end() { # RECORD
    local facts=$1
    [[ $facts == *JobState=RUNNING* && -n $(fact EndTime) ]] || return 0 # the end of what ends is now
    read_end
}
is_of_another_start() { # RECORD
    [[ -n $restarts && $1 =~ Restarts=([0-9]+) && ${BASH_REMATCH[1]} != "$restarts" ]]
}

# Slurm knows whose end a script's is by its node alone. Where the other start is on the same node (its network was
# away, and is back), the end of this one would be taken for the other's, and the job be over: so it is requeued
# once more, with which all that runs of it on the node is ended, and this script too.
leave_the_job() {
    local now
    [[ $(marks) == "$at_start" ]] || forget_failures
    say "this is start $((SLURM_RESTART_COUNT + 1)) of a job that Slurm has started again since: leaving it to that one"
    now=$(record)
    if [[ -n ${SLURMD_NODENAME:-} && $now == *JobState=RUNNING* && $now =~ BatchHost=([^ $'\n']+) ]] &&
        [[ ${BASH_REMATCH[1]} == "$SLURMD_NODENAME" ]]; then
        trap '' TERM USR1
        scontrol requeue "$me" && sleep 60
    fi
    exit 1
}

# Who cancels a job means it. Slurm ends one as well that it preempts, which the record says, or whose time is
# over.
was_cancelled() {
    local now
    now=$(record)
    # Each with its 1: in a trap, a bare return is the status of what ran before the signal.
    # Slurm names no PreemptTime where nothing preempts. It gives no reason for what a person ends, and one for the
    # others: NodeDown, TimeLimit (also of an account), ...
    [[ $now =~ JobState=(CANCELLED|COMPLETING)\ +Reason=None && ! $now =~ PreemptTime=[0-9] ]] || return 1
    had_time_left "$now" || return 1
    ! is_of_another_start "$now" || return 1
    # Nor is it a person where Slurm has taken the node of this script from the job (see nodes.sh).
    now=$(scontrol show hostnames "$(printf '%s\n' "$now" | sed -nE 's/^ *NodeList=([^ ]+).*/\1/p')")
    is_line_of "${all_nodes[0]:-}" "$now"
}
# The end that was asked for may be that of before a suspension, and the end that Slurm names of a job that it ends
# is now.
had_time_left() { # RECORD
    local facts=$1 ran limit
    if ran=$(seconds_in "$(fact RunTime)") && limit=$(seconds_in "$(fact TimeLimit)"); then
        ((ran < limit))
    else
        (($(seconds_left) > 0))
    fi
}
seconds_in() { # [DAYS-]HOURS:MINUTES:SECONDS
    [[ $1 =~ ^(([0-9]+)-)?([0-9]+):([0-9]+):([0-9]+)$ ]] || return 1
    local days=${BASH_REMATCH[2]:-0} hours=${BASH_REMATCH[3]} minutes=${BASH_REMATCH[4]} seconds=${BASH_REMATCH[5]}
    echo $((((10#$days * 24 + 10#$hours) * 60 + 10#$minutes) * 60 + 10#$seconds))
}

# The controller may be busy, or just starting.
insist() { # SECONDS that must be left to go on, COMMAND
    local tries
    for tries in {1..6}; do
        ! "${@:2}" || return 0
        ((tries < 6 && $(seconds_left) > $1)) || return 1
        sleep 10
    done
}
requeue() { insist -600 requeue_own_start; } # a job may outlive its time by a little
# It would end another start. A node out of reach learns of that one when Slurm answers again.
requeue_own_start() {
    local now
    now=$(record)
    [[ -z $cancelled ]] || end 75 # meanwhile
    ! is_of_another_start "$now" || leave_the_job
    [[ -n $now || -z $facts ]] && scontrol requeue "$me" # Slurm that has never answered may yet listen
}
