# What the sweep has on disk: whether a start brought anything new, whether all is done, whose the lock is.
# shellcheck shell=bash

# Whether a start brought anything new is asked of nothing else. New is also what was learned of a trial that
# ended badly, as it is tried so often only; and of a node's lost cards the first two, with which it is left out (see
# nodes.sh): where there are no other nodes, each trial in turn may lose it.
marks() {
    (
        CDPATH='' cd -- "$archive.d" 2>/dev/null || exit
        find . -name '*.h5'
        grep -rahs --exclude='*.underway-*' '' attempts |
            awk '$1 != "card" { print } $1 == "card" && ++lost[$2] <= 2 { print $1, $2 }'
    ) | sort | cksum
}

# Failed starts in a row that brought nothing, over all starts of the sweep; should the disk not take the
# number, of this job's start.
failed=0
failures() {
    local kept
    kept=$(cat "$archive.d/failures" 2>/dev/null)
    [[ $kept =~ ^[0-9]+$ ]] || kept=0
    echo $((kept > failed ? kept : failed))
}
count_failure() { # MARKS BEFORE
    if [[ $(marks) == "$1" ]]; then failed=$(($(failures) + 1)); else failed=0; fi
    { echo "$failed" >"$archive.d/failures"; } 2>/dev/null
}
forget_failures() {
    failed=0
    rm -f "$archive.d/failures"
}

# isogrid writes which job has it started with an input that it accepted. Refused later, that is not at fault: a
# card has dropped off, a mount is gone. A job that somebody submits anew may have another input.
was_accepted() {
    local from
    from=$(head -n 1 "$archive.d/accepted" 2>/dev/null)
    [[ -n $from && " $SLURM_JOB_ID ${ISOGRID_GOES_ON_FOR:-} " == *" $from "* ]]
}

# Launchers are not believed. A node may be lost when all is done and MPI ends, which then fails; and when one
# is lost in the middle mpirun has said 0. The archive gets its name last but for the clearing up of the run
# folder.
is_finished() { [[ -e $archive && ! -d $archive.d/attempts ]]; }
archive_mark() { stat -c '%i %Y' "$archive" 2>/dev/null; }

# A run that is gone holds its lock for a minute; one that lives shows it by touching the lock. A lock that
# was waited for was not what the start after it was refused for.
waited_for=
lock_mark() { stat -c %Y "$archive.d/lock" 2>/dev/null; }
lock_is_left_behind() {
    local before
    before=$(lock_mark) || return 1
    [[ $before != "$waited_for" ]] || return 1
    waited_for=$before
    for _ in {1..70}; do
        sleep 1
        [[ $(lock_mark) == "$before" ]] || break
    done
    [[ $(lock_mark || echo "$before") == "$before" ]]
}

# lock_holder: nobody (nor a run that was waited for), this_start, this_job (another start of it), or another.
# Ranks of this start may outlive a launcher that was killed, and hold a lock that still beats: no other's, and
# no bad input. What another that is at it has left in the run folder is for that one.
lock_holder() {
    local mark
    mark=$(lock_mark)
    if [[ -z $mark || $mark == "$waited_for" ]]; then
        echo nobody
    elif [[ $(lock_fact job) != "$SLURM_JOB_ID" ]]; then
        echo another
    elif [[ $(lock_fact restarts) != "$SLURM_RESTART_COUNT" ]]; then
        echo this_job
    else
        echo this_start
    fi
}
lock_fact() { sed -nE "s/^ *\"$1\": \"([^\"]*)\".*/\1/p" "$archive.d/lock" 2>/dev/null; }
