#!/usr/bin/env bash
# random_kills.sh PROGRAMS COUNT [SEED]: a sweep under mpirun in which, COUNT times, a random rank or the whole job is
# killed with SIGKILL at a random moment, and started again each time on a random number of ranks. No finished trial may
# be lost, and the digest is that of an undisturbed run.
source "$(dirname "$0")/../cli/small_study.sh" "$1"
count=$2
RANDOM=${3:-1}
make_study
long_study kills.toml

timeout 500 "$isogrid" run kills.toml --archive whole.h5 >out.txt || fail "the undisturbed run ended with status $?"

finished() { { find cut.h5.d/trials -name '*.h5' ! -name '*.failed.h5' -printf '%f\n' 2>/dev/null || true; } | sort; }

# The ranks of a job, by the session's process id: mpirun's children that run isogrid.
ranks_of() { pgrep -P "$1" -x isogrid || true; }

worlds=(1 2 3 5 9) # ranks: alone, and a coordinator with 1, 2, 4 or 8 workers
kills=0 starts=0 whole_job=0 resumed=0
while ((kills < count)); do
    ranks=${worlds[RANDOM % ${#worlds[@]}]}
    finished >before.txt
    starts=$((starts + 1))
    ((starts < 20 * count + 20)) || fail "$starts starts and only $kills kills"
    if ((ranks == 1)); then
        "$isogrid" run kills.toml --archive cut.h5 >out.txt 2>err.txt </dev/null &
    else
        mpirun -n "$ranks" "$isogrid" run kills.toml --archive cut.h5 >out.txt 2>err.txt </dev/null &
    fi
    job=$!
    sleep "$((RANDOM % 3)).$((RANDOM % 10))$((RANDOM % 10))" # the start, too, must bear it
    mapfile -t victims < <(ranks_of "$job")
    if ((ranks == 1)) || ((RANDOM % 2 == 0)); then
        kill -0 "$job" 2>/dev/null && kills=$((kills + 1)) whole_job=$((whole_job + 1))
        kill -KILL "$job" "${victims[@]}" 2>/dev/null || true
    elif ((${#victims[@]} > 0)); then
        kill -KILL "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null && kills=$((kills + 1))
    fi
    status=0
    wait "$job" 2>/dev/null || status=$?
    grep -q ' begun, ' out.txt && resumed=$((resumed + 1))
    ((status != 2)) || { cat out.txt err.txt >&2; fail "start $starts was refused"; }
    finished >after.txt
    if [[ -e cut.h5 ]]; then
        expect_same_digests whole.h5 cut.h5
        rm -rf cut.h5 cut.h5.d # it came to its end before the kills did: once more from the beginning
        continue
    fi
    lost=$(comm -23 before.txt after.txt)
    [[ -z $lost ]] || fail "finished trials are gone after start $starts: $lost"
done
timeout 500 mpirun -n 3 "$isogrid" run kills.toml --archive cut.h5 >out.txt ||
    fail "the last start ended with status $?: $(cat out.txt)"
expect_same_digests whole.h5 cut.h5
[[ ! -e cut.h5.d ]] || fail "the run folder is still there: $(find cut.h5.d)"
echo "$kills kills ($whole_job of whole jobs, $((kills - whole_job)) of a rank), $starts starts, $resumed from checkpoints, 0 trials lost, equal digests"
