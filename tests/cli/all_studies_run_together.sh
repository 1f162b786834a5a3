#!/usr/bin/env bash
# One small job asks for every study: its trials share an archive, branches have the bits of straight runs, and
# each law finds the runs of its own study.
source "$(dirname "$0")/small_study.sh" "$1"
make_tokens
begin_one_layer_job small.toml
cat >>small.toml <<'END'
[isoflop]
budgets = [2e9, 5e9]
sizes = 3
tokens_per_parameter = [0.1, 1000]
[critical_batch]
batches = [2, 4, 8]
targets = [4.5, 3.5]
tokens = 16_384
points = 10
[learning_rate]
widths = [16]
learning_rates = [0.005, 0.01, 0.02, 0.04]
tokens = [8_192]
[mup]
widths = [16, 32]
learning_rates = [0.005, 0.01, 0.02, 0.04]
tokens = 8_192
coordinate_check = false
[wsd]
widths = [16]
branches = [8_192, 16_384]
decays = ["linear", "square_root"]
[repetition]
widths = [16]
unique_tokens = [8_192]
epochs = [1, 2]
[data_size]
widths = [16]
tokens = [5_120, 6_144, 7_168, 8_192, 10_240, 12_288]
[schedules]
variants = ["tuned", "truncated_cosine"]
[validation]
budgets = [1e10]
sizes = 2
[evaluation]
tokens = 1024
points = 3
END

expect_status 0 "$isogrid" plan small.toml
grep -q '4 branches leave 1 trunk' out.txt || fail "plan counts no branches: $(cat out.txt)"
expect_status 0 mpirun -n 3 "$isogrid" run small.toml --archive out.h5
# Retraining goes straight through; in the sweep decays went on from the trunk where it had ended before.
for trial in decay-w16-d1-t8192-linear-f0.1 decay-w16-d1-t16384-square_root-f0.1 rep-w16-d1-u8192-e2; do
    expect_status 0 "$isogrid" verify out.h5 --retrain "$trial"
done
expect_status 0 "$isogrid" run small.toml --archive again.h5
expect_same_digests out.h5 again.h5

if [[ -x $programs/isogrid-fit ]]; then
    expect_status 0 "$programs/isogrid-fit" out.h5 --bootstrap 50 --json fit.json
    grep -q '"mup"' fit.json || fail "the law mup was not asked"
fi

# A target that was never to be reached, a branch beyond its trunk and a single batch are refused at once.
sed -e 's/^targets = .*/targets = [9.0]/' -e 's/^branches = .*/branches = [8_192]\ntrunk_tokens = 4_096/' small.toml >bad.toml
expect_status 2 "$isogrid" plan bad.toml
grep -q 'critical_batch.targets\[1\]: 9 is reached before training' err.txt || fail "no refusal: $(cat err.txt)"
grep -q 'wsd.branches\[1\]: 8192 lies beyond the trunk' err.txt || fail "no refusal: $(cat err.txt)"
