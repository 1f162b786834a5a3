# The way of a sweep as one Slurm job: its ranks start on all nodes, how they ended is looked at, and it goes
# on. slurm/sweep.sbatch says how to ask for it and sources this, with isogrid, say and fail set; the rest is
# beside it:
#   job.sh        what Slurm knows of the job
#   progress.sh   what the sweep has on disk
#   successor.sh  the job that goes on where this one cannot be requeued
#   nodes.sh      the nodes that can be started on
#   ranks.sh      the ranks of one start
# shellcheck shell=bash
job=$1 archive=$2
if [[ -L $archive ]]; then # two names of one archive are one sweep
    link=$archive archive=$(readlink -m -- "$archive")
    # Earlier versions kept the run folder beside the link; isogrid is not told of the link any more.
    [[ ! -d $link.d || $link.d -ef $archive.d || -z $(ls -A -- "$link.d") ]] ||
        fail "$link is a link, and trials lie in $link.d (its run folder is $archive.d)" \
            "move what is in the former into the latter when no run works on either, and remove the former"
fi
options=("${@:3}") # of isogrid run
for room in job progress successor nodes ranks; do source "$(dirname "${BASH_SOURCE[0]}")/$room.sh"; done

end() { # STATUS, with nothing to go on with
    withdraw_successor
    if [[ $(lock_holder) != another ]]; then
        rm -rf "$archive.d/unfit"
        (($1 == 0)) || rm -f "$wishes/$SLURM_JOB_ID" # other jobs' are theirs, and heard at the next start
        rmdir "$wishes" 2>/dev/null
        [[ -d $wishes ]] || rm -f "$wished_by"
    fi
    rmdir "$archive.d" 2>/dev/null
    exit "$1"
}
give_up_after_failures() { # STATUS
    (($(failures) >= ${ISOGRID_FAILURES:-4})) || return 0
    say "$(failures) starts in a row have brought nothing new on disk: given up; submit again to go on"
    forget_failures
    end "$1"
}

# A full quota, or a file server that changes over, may make start after start fail within seconds, and be over in
# minutes. Not at the end of the job, where the time is better used.
pause_after_failures() { # 30 s, 2 min, 8 min
    local failures pause until
    failures=$(failures)
    ((failures > 0 && $(seconds_left) > 600)) || return 0
    pause=$((${ISOGRID_PAUSE:-30} * 4 ** ((failures < 3 ? failures : 3) - 1)))
    ((pause == 0)) || say "nothing new is on disk: waiting for $pause s"
    until=$((SECONDS + pause))
    while [[ -z $stopping ]] && ((SECONDS < until && $(seconds_left) > 600)); do sleep 1; done
}

# After a failure: on the nodes that are fit, or, where there is none or no time, in another allocation.
start_again() {
    pause_after_failures
    [[ -z $stopping ]] || go_on
    look_for_nodes
    # Not for the last minutes of an allocation, nor for the last tenth of a short one.
    ((${#nodes[@]} > 0 && $(seconds_left) > (whole < 1800 ? whole / 10 : 180))) || go_on
    say "starting again on ${nodes[*]}, with $(seconds_left) s left"
}

# --retry is a person's wish for once: heard again at every start, it would give trials that only ever crash
# new attempts without end, each of them something new on disk. It lies in a file of its job's name until isogrid,
# which then has the lock, has noted it of the trials, and removes the files that it was told of (ISOGRID_WISHES):
# a start may end before that. Another job may have wished meanwhile: neither takes the other's wish away, nor what
# isogrid refuses to it.
wishes=$archive.d/retry wished_by=$archive.d/retry.job
part_options() { # sets options_of_later_starts; the first start of a job that gets so far leaves its wish
    local wished=()
    options_of_later_starts=()
    set -- ${options[@]+"${options[@]}"} # before 4.4 an array without elements is unbound
    while (($# > 0)); do
        case "$1 ${2:-}" in
            --retry\ failed | --retry\ out_of_memory) wished+=("$2") && shift ;;
            --retry=failed\ * | --retry=out_of_memory\ *) wished+=("${1#--retry=}") ;;
            *) options_of_later_starts+=("$1") ;; # other outcomes are for isogrid to refuse, to this job alone
        esac
        shift
    done
    if [[ -f $wishes ]]; then # of an earlier version, which kept all wishes in one
        mv "$wishes" "$wishes.all" && mkdir "$wishes" && mv "$wishes.all" "$wishes/all"
    fi
    ((${#wished[@]} > 0)) && ! grep -qsxF "$SLURM_JOB_ID" "$wished_by" || return 0
    for _ in 1 2 3; do # isogrid removes the folder where it is empty, as it may be just now
        mkdir -p "$wishes" && printf '%s\n' "${wished[@]}" >"$wishes/.$SLURM_JOB_ID" &&
            mv "$wishes/.$SLURM_JOB_ID" "$wishes/$SLURM_JOB_ID" || continue # seen whole, or not at all
        echo "$SLURM_JOB_ID" >>"$wished_by"
        return 0
    done
    rm -f "$wishes/.$SLURM_JOB_ID"
    say "--retry ${wished[*]} could not be noted in $wishes (see above) this start goes on without it; ask again" \
        "when there is room"
}
options_now() { # sets options: those of later starts, and what is still wished; and ISOGRID_WISHES, whose that is
    local word file
    options=(${options_of_later_starts[@]+"${options_of_later_starts[@]}"})
    export ISOGRID_WISHES=
    for file in "$wishes"/*; do
        [[ ! -f $file ]] || ISOGRID_WISHES+="${file##*/} "
    done
    while read -r word; do options+=(--retry "$word"); done < <(
        for file in $ISOGRID_WISHES; do grep -sxE 'failed|out_of_memory' "$wishes/$file"; done | sort -u
    )
}

# A start that had its time, and has left nothing new on disk, is a failure too: a step may take longer than
# the job.
had_its_time() {
    [[ $stopping != nearly_over ]] && (($(seconds_left) >= whole / 4)) || return 0
    # Ranks that nobody has told to end, as when no worker is left. Preemption tells steps before it tells this script.
    [[ -z $stopping && ! $(record) =~ PreemptTime=[0-9] ]]
}
# Ranks stop by the end that they were started with. Slurm moves it for a job that was suspended, or is given more time.
has_time_that_ranks_knew_not() {
    ((status == 75)) && [[ -z $stopping && -n $end_at_start ]] || return 1
    [[ -z ${SLURM_JOB_END_TIME:-} ]] || ((SLURM_JOB_END_TIME > end_at_start + 60))
}
go_on_after_stop() {
    if [[ -z $cancelled ]] && had_its_time; then
        count_failure "$at_start"
        give_up_after_failures 1
    fi
    go_on
}

go_on() {
    [[ $stopping != told ]] || heed_cancelling
    [[ -z $cancelled ]] || end 75
    # Nothing can be asked of a controller that is away for minutes, nor does it end this job.
    for _ in {1..60}; do
        [[ -n $facts && -z $(record) ]] && (($(seconds_left) > -600)) || break
        sleep 10
    done
    look_at_job
    [[ $(marks) == "$at_start" ]] || forget_failures
    if [[ -n $successor ]] && ! successor_is_there; then
        say "job $successor, which waited to go on from here, is no longer there"
        successor=
    fi
    see_to_successor
    if [[ -n $successor ]]; then
        say "work is left; job $successor goes on"
    else
        say "work is left; requeueing" # said first: requeueing may end this shell before its next line
        requeue || say "the job could not be requeued (see above) submit again to go on"
    fi
    exit 75
}

heed_signals
choose_launcher
learn_of_job
part_options
say "job $SLURM_JOB_ID, start $((SLURM_RESTART_COUNT + 1)): $job into $archive," \
    "${SLURM_NTASKS:-1} ranks on $SLURM_JOB_NODELIST, $launcher"
at_start=$(marks)
see_to_successor
restarts=${restarts:-$(fact Restarts)} # where Slurm has said it only now
export SLURM_RESTART_COUNT=${restarts:-$SLURM_RESTART_COUNT}
if [[ -n $successor ]]; then
    guard_first_node scancel
else # ended by its guard, a job without a successor would be the last one
    [[ $chains != yes ]] || say "no job could be queued to go on (see above) it is tried again when this one ends"
    guard_first_node "scontrol requeue"
fi

nodes=("${all_nodes[@]}") status=
if [[ -n $stopping ]]; then # told to end before there were ranks to tell
    mkdir -p "$archive.d"
    go_on_after_stop
fi
while :; do
    [[ -z $stopping ]] || go_on # told to end between two starts
    options_now
    before=$(marks)
    archive_before=$(archive_mark) status_before=$status end_at_start=${SLURM_JOB_END_TIME:-}
    launch
    look_at_job
    if ((status != 0)) && is_finished && [[ $(archive_mark) != "$archive_before" ]]; then
        say "the archive is whole, though the launcher ended with exit status $status"
        status=0
    elif ((status == 0)) && ! is_finished; then
        say "the archive is not whole, though the launcher ended with exit status 0"
        status=1
    elif ((status == 0)) && [[ $(archive_mark) == "$archive_before" && $status_before != 0 ]]; then
        # Nothing was to do, which takes another start seconds; or nothing has run, and the study has grown.
        say "the archive is as it was, though the launcher ended with exit status 0"
        start_again
        continue
    fi
    case $status in
        0)
            forget_failures
            say "done"
            end 0
            ;;
        2)
            ! lock_is_left_behind || continue
            if [[ $(lock_holder) == this_start ]]; then
                say "ranks of this start have outlived their launcher: they end with it"
                go_on
            fi
            # Trials may ask for more ranks than fewer nodes have; a node that does not answer may be back.
            if ((${#nodes[@]} < ${#all_nodes[@]})); then
                say "refused on ${#nodes[@]} of ${#all_nodes[@]} nodes (see above) it may not be on all of them"
                go_on
            fi
            if [[ $(lock_holder) != another ]] && was_accepted; then
                say "refused with exit status 2 (see above) although an earlier start accepted the same"
                count_failure "$before"
                give_up_after_failures 2
                pause_after_failures
                go_on # elsewhere, where a card or a mount may be there
            fi
            say "failed with exit status 2 (bad input, see above) correct it and submit again;" \
                "nothing that was finished is lost"
            [[ -z $found_waiting ]] || successor= # it is to go on for another job, or is told the same
            end 2
            ;;
    esac
    if has_time_that_ranks_knew_not; then
        say "the end of the job has moved since its ranks were started"
        start_again
        continue
    fi
    # Told to end, the launcher has a status of its own.
    if ((status == 75)) || [[ -n $stopping ]]; then go_on_after_stop; fi
    mkdir -p "$archive.d"
    count_failure "$before"
    say "failed with exit status $status (see above) nothing that was finished is lost"
    give_up_after_failures "$status"
    start_again
done
