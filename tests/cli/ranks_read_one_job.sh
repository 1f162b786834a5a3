#!/usr/bin/env bash
# Ranks that read different jobs, as where a node still sees a file that was replaced, train nothing together: a group
# would exchange gradients of two trials, and archive the result as one.
source "$(dirname "$0")/small_study.sh" "$1"
make_study
make_job one.toml 2
sed 's/^learning_rate = 0.01/learning_rate = 0.02/' one.toml >other.toml

expect_status 1 mpirun -n 2 "$isogrid" run one.toml --archive out.h5 : -n 1 "$isogrid" run other.toml --archive out.h5
grep -q 'is not the same on all ranks' err.txt || fail "nothing is said of it: $(cat err.txt)"
[[ ! -e out.h5 && ! -e out.h5.d/trials ]] || fail "something was trained: $(cat out.txt)"
expect_status 0 mpirun -n 3 "$isogrid" run one.toml --archive out.h5

# Nor do ranks whose node has a damaged copy of the tokens of its own, under the digest of good ones.
mkdir elsewhere
cp one.toml small.tok elsewhere/
printf '\377' | dd of=elsewhere/small.tok bs=1 seek=1001 conv=notrunc status=none
for good in 1 2; do
    # All ranks are on one node here, so that no node is sound; else it would be 1, and the other nodes go on.
    expect_status $((good == 2 ? 0 : 2)) mpirun -n 2 "$isogrid" run one.toml --archive copies.h5 : \
        -n 1 "$isogrid" run elsewhere/one.toml --archive copies.h5
    ((good == 2)) || grep -q 'is damaged' err.txt || fail "damaged tokens are passed over: $(cat err.txt out.txt)"
    [[ $good == 2 || ! -e copies.h5 ]] || fail "something was trained on damaged tokens: $(cat out.txt)"
    cp small.tok elsewhere/small.tok
done

# A plan says what a run would refuse: some trials of a batch axis may be cut into fewer leaves than groups have ranks.
{ cat one.toml; printf '[learning_rate]\nlearning_rates = [0.0025, 0.005, 0.01, 0.02]\nbatches = [2, 8]\ntokens = [20000]\n'; } |
    sed 's/^ranks_per_trial = 2/ranks_per_trial = 4/' >shared.toml
expect_status 0 "$isogrid" plan shared.toml --ranks 4
grep -q 'would refuse this.*4 ranks cannot share trial' <(tr -s '\n ' ' ' <out.txt) || fail "the plan says: $(cat out.txt)"
expect_status 2 mpirun -n 5 "$isogrid" run shared.toml --archive shared.h5
