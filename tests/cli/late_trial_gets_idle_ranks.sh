#!/usr/bin/env bash
# A worker stops for a while, and the others have nothing left to do: its late trial leaves a checkpoint, goes on with
# more ranks, and comes to the same digest.
source "$(dirname "$0")/small_study.sh" "$1"
make_tokens
begin_one_layer_job late.toml
cat >>late.toml <<END
[isoflop]
budgets = [3e$((long + 1))] # a late trial has reported a few times before it ends
sizes = 3
tokens_per_parameter = [0.1, 10000]
[evaluation]
tokens = 1024
points = 3
END
expect_status 0 "$isogrid" run late.toml --archive whole.h5

mpirun -n 4 "$isogrid" run late.toml --archive late.h5 >out.txt 2>err.txt </dev/null &
launcher=$!

# process_of RANK: its number.
process_of() {
    local process
    for process in $(pgrep -P "$launcher" -x isogrid); do
        ! tr '\0' '\n' <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1" || echo "$process"
    done
}

all_train() { (($(find late.h5.d/attempts -name '*.underway*' 2>/dev/null | wc -l) == 3)); }
for _ in {1..600}; do
    ! all_train || break
    sleep 0.05
done
all_train || fail "three trials do not train at once"
late=$(process_of 3)
kill -STOP "$late"
wait_for_trial late.h5
sleep 5
kill -CONT "$late"
wait "$launcher" || { cat out.txt err.txt >&2; fail "the sweep ended badly"; }
grep -q 'pauses at step' out.txt err.txt || { cat out.txt err.txt >&2; fail "the late trial went on alone"; }
expect_same_digests whole.h5 late.h5
