# The ranks of one start: launched, told to end, and ended when they show no sign of life.
# shellcheck shell=bash
ranks=    # the process of their launcher, while there is one
stopping=${stopping:-} # nearly_over or told
cancelled=

# Slurm signals this shell, and the launcher forwards to every rank. Signalling the steps instead (--signal
# without B:) would miss the ranks that mpirun starts itself on the first node.
stop() { # WHY WORDS
    [[ -n $stopping ]] || say "$2; stopping"
    stopping=${stopping:-$1}
    [[ -z $ranks ]] || kill -USR1 "$ranks" 2>/dev/null
}
# Slurm is asked for the reason at once, as the script may not live to see its ranks end. Before it has answered at
# all it is asked when the script goes on.
told_to_end() {
    stop told "told to end"
    [[ -z $facts ]] || heed_cancelling
}
heed_cancelling() {
    [[ -z $cancelled ]] && was_cancelled || return 0
    say "the job was cancelled: submit again to go on"
    cancelled=yes
    withdraw_successor
}
heed_signals() {
    trap 'stop nearly_over "the time is nearly over"' USR1
    trap told_to_end TERM
}

# choose_launcher: sets launcher, srun_mpi, and what they have to know.
choose_launcher() {
    launcher=${ISOGRID_LAUNCHER:-}
    srun_mpi=${ISOGRID_SRUN_MPI:-pmix}
    if [[ -z $launcher ]]; then
        launcher=mpirun
        [[ ! $(srun --mpi=list 2>&1) =~ (^|[^[:alnum:]_])$srun_mpi($|[^[:alnum:]_]) ]] || launcher=srun
    fi
    case $launcher in
        srun | mpirun) ;;
        *) fail "ISOGRID_LAUNCHER is $launcher (only srun and mpirun are known) set one of them, or neither" ;;
    esac
    # Ranks that save what they have need longer than the second that mpirun gives them when it is told to
    # end. It also waits as long when rank 0 has said 75. (With orte_abort_on_non_zero_status=0 it would not,
    # and say 0.)
    export OMPI_MCA_odls_base_sigkill_timeout=10
    # A step of a node that lost its power, and was back before Slurm missed it, is still on Slurm's books,
    # with the cores: the next launcher, and what it starts on the nodes by srun, would wait for them for
    # ever.
    export SLURM_OVERLAP=1
    # Since Slurm 22.05 a step does not have the cores for its tasks that the job asked for, unless it is
    # told.
    [[ -z ${SLURM_CPUS_PER_TASK:-} ]] || export SRUN_CPUS_PER_TASK=${SRUN_CPUS_PER_TASK:-$SLURM_CPUS_PER_TASK}
}

# launch: all ranks, on all nodes or on those in nodes, with options; sets status.
launch() {
    local start=() count=0 node hosts=()
    for node in "${nodes[@]}"; do
        count=$((count + ${tasks_of[$node]:-1}))
        hosts+=("$node:${tasks_of[$node]:-1}")
    done
    case $launcher in
        # --wait=0: no limit to how long ranks may outlive the first to leave; a rank that says 75 ends no
        # other.
        srun) start=(srun --mpi="$srun_mpi" --wait=0 --kill-on-bad-exit=0) ;;
        mpirun) start=(mpirun) ;;
    esac
    if ((${#nodes[@]} < ${#all_nodes[@]})); then
        case $launcher in
            srun) start+=(--nodes="${#nodes[@]}" --nodelist="$(joined "${nodes[@]}")" --ntasks="$count") ;;
            mpirun) start+=(--host "$(joined "${hosts[@]}")" -n "$count") ;;
        esac
    fi
    "${start[@]}" "$isogrid" run "$job" --archive "$archive" ${options[@]+"${options[@]}"} </dev/null &
    ranks=$!
    watch "$ranks" &
    # A signal to a process that bash has not yet made another program of is lost, as this shell has traps.
    [[ -z $stopping ]] || { sleep 1 && kill -USR1 "$ranks"; } 2>/dev/null
    while
        wait "$ranks"
        status=$?
        kill -0 "$ranks" 2>/dev/null # a signal ends wait early, with the ranks alive
    do :; done
    ranks=
}
joined() { (IFS=, && echo "$*"); }

# watch LAUNCHER: ends ranks that show no sign of life. A node that is lost while MPI starts or ends can leave
# the others waiting for ever; rank 0 touches the lock every 10 s otherwise. Ranks that have still not ended
# when the job is about to would take this script with them, and nobody would requeue the job.
watch() {
    local seen='' now silent=0 patience=${ISOGRID_PATIENCE:-600} last_call=$((whole < 600 ? whole / 20 : 30))
    while sleep 2 && kill -0 "$1" 2>/dev/null; do
        (($(seconds_left) > last_call)) || heed_end "$(record $((last_call / 2 + 1)))"
        if (($(seconds_left) <= last_call)); then
            say "the time is over, and the ranks have not ended: ending them"
            kill -KILL "$1" 2>/dev/null
            return
        fi
        now=$(lock_mark)
        silent=$((silent + 2)) # not by the clock, which runs on while the job is suspended
        [[ -z $now || $now == "$seen" ]] || silent=0
        seen=$now
        ((silent > patience)) || continue
        say "no sign of life for $patience s: ending these ranks"
        kill -TERM "$1"
        sleep 20
        kill -KILL "$1" 2>/dev/null
        return
    done
}
