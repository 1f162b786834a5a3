#!/usr/bin/env bash
# A study far too large for this machine is planned all the same: sizes, tokens, FLOPs and memory come within seconds,
# and so do times, unless it is for cards that are not here.
source "$(dirname "$0")/small_study.sh" "$1"
limit=120
make_tokens

# large_job FILE DEVICE
large_job() {
    cat >"$1" <<END
[study]
name = "large"
[data]
tokens = "small.tok"
[model]
widths = [256, 512, 1024, 2048, 4096]
head_width = 64
context = 1024
[recipe]
learning_rate = 0.01
batch = 128
leaves = 8
precision = "bfloat16"
[isoflop]
budgets = [1e17, 1e18, 1e19, 1e20]
tokens_per_parameter = [0.1, 10000]
[evaluation]
tokens = 4096
[run]
device = "$2"
END
}

large_job large.toml cpu
expect_status 0 "$isogrid" plan large.toml --ranks 64
tr '\n' ' ' <out.txt | tr -s ' ' | grep -qE 'With 64 ranks that train .* no schedule takes less than [0-9]+ d' ||
    fail "no end is told: $(cat out.txt err.txt)"
grep -qE 'w2048-d64 .* [0-9]+ d [0-9]+ h$' out.txt || fail "no time of the largest model: $(cat out.txt)"

# On a machine without cards.
large_job cards.toml cuda
export CUDA_VISIBLE_DEVICES=
expect_status 0 "$isogrid" plan cards.toml
tr '\n' ' ' <out.txt | tr -s ' ' | grep -q 'times and the end are not known: the job is for CUDA cards' ||
    fail "it does not say why there are no times: $(cat out.txt err.txt)"
grep -qE 'w2048-d64 .* -$' out.txt || fail "a time without a card: $(cat out.txt)"
expect_status 0 "$isogrid" plan cards.toml --json
grep -q '"predicted_makespan_seconds": null' out.txt || fail "an end without times: $(cat out.txt)"
! grep -q '"flops": null' out.txt || fail "no FLOPs: $(cat out.txt)"
