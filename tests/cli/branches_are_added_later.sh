#!/usr/bin/env bash
# A finished study with kept trunks takes up further decays, a branch at a place between, and a longer trunk: each goes
# on from the state that is there, to the results of a study that was whole from the beginning.
source "$(dirname "$0")/small_study.sh" "$1"
make_tokens

# wsd_job FILE KEYS [RUN_KEYS]: 16,384 tokens are 64 steps of 8 sequences.
wsd_job() {
    begin_one_layer_job "$1"
    printf 'decay_fraction = 0.2\n[wsd]\nwidths = [16]\n%s\n[evaluation]\ntokens = 1024\npoints = 3\n[run]\n%s\n' \
        "$2" "${3-keep_trunks = true}" >>"$1"
}
wsd_job first.toml 'branches = [16_384, 65_536]'
wsd_job later.toml 'branches = [16_384, 65_536, 131_072]
added_branches = [24_576]
decays = ["linear", "cosine"]'
states() { find "$1.d/checkpoints" -type f -name 'trunk-*.h5' 2>/dev/null | wc -l; }

expect_status 0 "$isogrid" run first.toml --archive grown.h5
[[ $(states grown.h5) == 2 ]] || fail "the trunk should leave 2 states: $(find grown.h5.d)"
[[ -z $(find grown.h5.d -type f ! -name 'trunk-*.h5') ]] || fail "more than states are kept: $(find grown.h5.d)"
expect_status 0 "$isogrid" run first.toml --archive grown.h5
grep -q 'nothing to do' out.txt || fail "kept states are taken for work: $(cat out.txt)"
expect_status 0 "$isogrid" status grown.h5
grep -q 'finished' out.txt || fail "$(cat out.txt)"

# Of 10 trials 2 are there; the old trunk is what the longer one begins as. The other 8 go on from where it was: the
# longer one, the decays at its places and beyond, and the trunk of the place between with its decays.
expect_status 0 "$isogrid" plan later.toml
tr '\n' ' ' <out.txt | grep -q '8 branches leave 2 trunks' || fail "plan counts other branches: $(cat out.txt)"
expect_status 0 "$isogrid" plan later.toml --archive grown.h5
tr '\n' ' ' <out.txt | grep -q '2 trials are done before, 8 trials are to go on from states' ||
    fail "plan counts other states: $(cat out.txt)"
cp -r grown.h5 cut.h5
cp -r grown.h5.d cut.h5.d

expect_status 0 "$isogrid" run later.toml --archive whole.h5
expect_status 0 "$isogrid" run later.toml --archive grown.h5
grep -q '8 trials to train (8 of them begun, 8 by trunks), 2 done before' out.txt ||
    fail "not all went on: $(cat out.txt)"
expect_same_digests whole.h5 grown.h5

# Tokens that each trial trained, seconds times tokens a second, in the grid's order: the trunk the second half of its
# 131,072, decays themselves, the trunk to the place between from 16,384 on.
if command -v h5dump >/dev/null; then
    h5dump -y -m %.9g -d /provenance/trials grown.h5 | awk '
        /^ *}/ { if (n > 1) printf "%.0f ", last[n] * last[n - 1]; n = 0 }
        /^ *[0-9.e+]+,?$/ { sub(/,/, ""); last[++n] = $1 }' >trained.txt
    grep -q '^65536 4096 4096 16384 16384 32768 32768 8192 6144 6144 ' trained.txt ||
        fail "trials trained other numbers of tokens: $(cat trained.txt)"
fi
expect_status 0 "$isogrid" verify grown.h5 --retrain decay-w16-d1-t24576-cosine-f0.1
[[ $(states grown.h5) == 4 ]] || fail "4 states should be kept: $(find grown.h5.d)"

# Killed in the middle, the added ones go on as well; under mpirun, too.
long_run() { mpirun -n 3 "$isogrid" run later.toml --archive cut.h5; }
long_run >out.txt 2>err.txt </dev/null &
job=$!
for _ in {1..600}; do
    [[ -z $(find cut.h5.d/trials -name '*.h5' 2>/dev/null) ]] || break
    sleep 0.01
done
mapfile -t ranks < <(pgrep -P "$(pgrep -P "$job" | head -n 1)" -x isogrid || true)
kill -KILL "${ranks[@]}" 2>/dev/null || true
wait "$job" || true
expect_status 0 mpirun -n 3 "$isogrid" run later.toml --archive cut.h5
expect_same_digests whole.h5 cut.h5

# States are what is gone on from: damaged ones are named and passed over.
expect_status 0 "$isogrid" run first.toml --archive damaged.h5
for state in damaged.h5.d/checkpoints/*; do truncate -s 1000 "$state"; done
expect_status 0 "$isogrid" run later.toml --archive damaged.h5
grep -q 'not used: damaged.h5.d/checkpoints/trunk-' err.txt || fail "$(cat err.txt)"
expect_same_digests whole.h5 damaged.h5

# Without the key nothing stays, and what an earlier start has kept goes.
sed -i '/keep_trunks/d' first.toml later.toml
expect_status 0 "$isogrid" run first.toml --archive bare.h5
[[ ! -e bare.h5.d ]] || fail "the run folder is still there: $(find bare.h5.d)"
expect_status 0 "$isogrid" run later.toml --archive bare.h5
[[ ! -e bare.h5.d ]] || fail "the run folder is still there: $(find bare.h5.d)"
expect_same_digests whole.h5 bare.h5
expect_status 0 "$isogrid" run later.toml --archive grown.h5
[[ ! -e grown.h5.d ]] || fail "kept states should go without the key: $(find grown.h5.d)"
