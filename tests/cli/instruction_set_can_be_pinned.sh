#!/usr/bin/env bash
# --isa pins the instruction set, archives remember it, and retraining uses it again; what cannot be is refused.
source "$(dirname "$0")/small_study.sh" "$1"
make_study

for verb in "run small.toml --archive out.h5" "plan small.toml" "verify out.h5 --retrain all"; do
    read -ra words <<<"$verb"
    expect_status 2 "$isogrid" "${words[@]}" --isa sse9
    grep -q "isogrid ${words[0]}: --isa sse9 names no instruction set (known: auto, avx2, " err.txt ||
        fail "the refusal does not say what is known: $(cat err.txt)"
    [[ ! -e out.h5 && ! -e out.h5.d ]] || fail "a refused command left an archive behind"
done
expect_status 2 mpirun -n 3 "$isogrid" run small.toml --archive out.h5 --isa sse9
(($(grep -c 'sse9' err.txt) == 1)) || fail "each rank tells the fault: $(cat err.txt)"

expect_status 0 "$isogrid" plan small.toml --isa avx2
expect_status 0 "$isogrid" run small.toml --archive out.h5 --isa avx2
expect_status 0 mpirun -n 3 "$isogrid" run small.toml --archive ranks.h5 --isa avx2
expect_same_digests out.h5 ranks.h5

expect_status 0 "$isogrid" verify out.h5 --retrain 0
grep -q ': made with avx2, retrained with avx2: the same bits' out.txt || fail "not retrained with avx2: $(cat out.txt)"
expect_status 0 "$isogrid" verify out.h5 --retrain 0 --isa avx2 --json
grep -q '"retrained_with": "avx2"' out.txt || fail "JSON does not name the instruction set: $(cat out.txt)"
expect_status 0 "$isogrid" export out.h5 --trial 0 --to model --step 3 --isa avx2

# What goes on without --isa has the bits of what is there, whatever the processor runs.
sed 's/^budgets = .*/budgets = [2e9, 3e9, 5e9]/' small.toml >grown.toml
cp out.h5 grown.h5
expect_status 0 "$isogrid" run grown.toml --archive grown.h5
expect_status 0 "$isogrid" verify grown.h5 --retrain all
! grep 'made with' out.txt | grep -v ': the same bits' || fail "not all have the same bits: $(cat out.txt)"

# bfloat16 is a precision of its own: other trials. Where the processor has no products of it, plan says so.
sed 's/^batch = 8/batch = 8\nprecision = "bfloat16"/' small.toml >half.toml
expect_status 0 "$isogrid" plan half.toml --isa avx2
tr '\n' ' ' <out.txt | tr -s ' ' | grep -q 'warning: precision bfloat16 runs, correct and slower' ||
    fail "plan does not warn: $(cat out.txt)"
expect_status 2 "$isogrid" run half.toml --archive out.h5
