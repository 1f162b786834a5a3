#!/usr/bin/env bash
# isoFLOP budgets that leave trunks, critical batches from one checkpoint, and batches that grow: each trial has the
# bits of a straight run, whatever the ranks, and no text is skipped or repeated where a batch changes.
source "$(dirname "$0")/small_study.sh" "$1"
make_tokens
begin_one_layer_job small.toml
cat >>small.toml <<'END'
schedule = "warmup_stable_decay"
decay_fraction = 0.1
[isoflop]
budgets = [2e9, 4e9, 8e9]
sizes = 3
tokens_per_parameter = [0.1, 1000]
trunks = true
[critical_batch]
widths = [16]
batches = [4, 8, 16]
targets = [4.5, 3.5]
tokens = 16_384
trunk_tokens = 8_192
points = 10
[batch_ramp]
widths = [16]
batches = [4, 16]
ramp = [[0, 4], [4_096, 8], [8_192, 16]]
critical_batch = [8, 0.4]
tokens = 16_384
seeds = 2
[evaluation]
tokens = 1024
points = 3
END

expect_status 0 "$isogrid" plan small.toml
grep -q '12 branches leave 4 trunks' out.txt || fail "plan counts other branches: $(cat out.txt)"
expect_status 0 mpirun -n 3 "$isogrid" run small.toml --archive out.h5
expect_status 0 "$isogrid" verify out.h5 --retrain all
expect_status 0 "$isogrid" run small.toml --archive again.h5
expect_same_digests out.h5 again.h5

# The ramp's 32 steps of 4 and those of 8 behind them hold the rows that 4 a step all through has in 96 steps.
expect_status 0 "$isogrid" batches small.toml --trial br-w16-d1-batch-4-s1 --steps 0:64 --to fixed.npy
expect_status 0 "$isogrid" batches small.toml --trial br-w16-d1-ramp-s1 --steps 0:32 --to small.npy
expect_status 0 "$isogrid" batches small.toml --trial br-w16-d1-ramp-s1 --steps 32:48 --to larger.npy
cmp <(tail -c +129 fixed.npy) <(tail -c +129 small.npy && tail -c +129 larger.npy) ||
    fail "a ramp reads other text than a fixed batch"
expect_status 2 "$isogrid" batches small.toml --trial br-w16-d1-ramp-s1 --steps 0:48
grep -q 'batches of several sizes (8 sequences from step 32 on, 4 before)' err.txt || fail "$(cat err.txt)"

if [[ -x $programs/isogrid-fit ]]; then
    expect_status 0 "$programs/isogrid-fit" out.h5 --bootstrap 50 --json fit.json
    grep -q '"ramp_against_batch_4_steps_share"' fit.json || fail "the law batch_ramp was not asked"
fi
