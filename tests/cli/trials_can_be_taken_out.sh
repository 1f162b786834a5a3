#!/usr/bin/env bash
# A finished trial can be retrained bit for bit, exported as a Llama model, and its batches written as arrays; the whole
# archive becomes an RO-Crate.
source "$(dirname "$0")/small_study.sh" "$1"
make_study

expect_status 0 "$isogrid" plan small.toml --json
trial=$(grep -oE '"b[0-9]+-w[0-9]+[^"]*"' out.txt | head -n 1 | tr -d '"')
[[ -n $trial ]] || fail "isogrid plan --json names no trial: $(cat out.txt)"
expect_status 0 "$isogrid" run small.toml --archive out.h5
expect_status 0 "$isogrid" verify out.h5 --retrain "$trial"

expect_status 0 "$isogrid" export out.h5 --trial "$trial" --to model
for file in config.json model.safetensors; do
    [[ -s model/$file ]] || fail "export wrote no $file"
done
grep -q '"LlamaForCausalLM"' model/config.json || fail "config.json names no LlamaForCausalLM"

# The tokenizer goes with it, of bytes here, and no other stays; a model that did not make the tokens is refused, before
# anything is written.
echo 'of another export' >model/tokenizer.model
expect_status 0 "$isogrid" export out.h5 --trial "$trial" --to model
[[ ! -e model/tokenizer.model ]] || fail "another export's tokenizer stays beside the model"
grep -q '"Ġ": 32' model/tokenizer.json || fail "tokenizer.json does not hold the space as byte 32"
printf 'a model' >other.model
expect_status 2 "$isogrid" export out.h5 --trial "$trial" --to none --tokenizer other.model
grep -q 'other\.model: is not the tokenizer of this archive (its tokens were made with bytes)' err.txt ||
    fail "$(cat err.txt)"
[[ ! -e none ]] || fail "a refused export left a folder"

# A disk that is full is nobody's bad input, and gets no half files.
(
    ulimit -f 1 # kB
    expect_status 1 "$isogrid" export out.h5 --trial "$trial" --to none
    grep -q 'model.safetensors: cannot be written .* make room' err.txt || fail "$(cat err.txt)"
    [[ ! -e none ]] || fail "an export that failed left a folder"
    expect_status 1 "$isogrid" tokenize text.txt --out none.tok
    expect_status 1 "$isogrid" batches small.toml --trial "$trial" --steps 0:9 --to none.npy
    [[ -z $(find . -name 'none*') ]] || fail "$(find . -name 'none*') was left"
)

# An archive names the token file as its job does, and no folder of the machine that made it. It is looked for from
# the archive's folder and from the current one; a file of another text at that name is passed over.
if grep -aq "$scratch" out.h5; then fail "the archive holds a path of this machine"; fi
grep -aq 'small\.tok' out.h5 || fail "the archive does not name its token file"
mkdir moved other
mv out.h5 moved/
mv small.tok moved/
(cd other && expect_status 0 "$isogrid" verify ../moved/out.h5 --retrain "$trial")
tr a-z b-za <text.txt >other/text.txt
expect_status 0 "$isogrid" tokenize other/text.txt --out moved/other.tok --validation 0.05
! grep -q 'in the order of the texts' out.txt || fail "one text has an order: $(cat out.txt)"
expect_status 0 "$isogrid" tokenize text.txt other/text.txt --out two.tok --validation 0.05
grep -q 'in the order of the texts' out.txt || fail "nothing is said of the order of two texts: $(cat out.txt)"
! grep -q 'replaces' out.txt || fail "a new file replaces none: $(cat out.txt)"
two=$(sed -n 's/^digest //p' out.txt)
expect_status 0 "$isogrid" tokenize text.txt --out two.tok --validation 0.05
grep -q "replaces tokens of digest $two" out.txt || fail "tokens are replaced without a word: $(cat out.txt)"
expect_status 0 "$isogrid" tokenize text.txt --out two.tok --validation 0.05
! grep -q 'replaces' out.txt || fail "the same tokens replace none: $(cat out.txt)"
rm two.tok
mv moved/small.tok small.tok
mv moved/other.tok moved/small.tok
expect_status 0 "$isogrid" verify moved/out.h5 --retrain "$trial"
(
    cd other
    expect_status 2 "$isogrid" verify ../moved/out.h5 --retrain "$trial"
    grep -q 'small\.tok: is not there, .*name that file with --tokens' err.txt || fail "no word of --tokens: $(cat err.txt)"
    expect_status 2 "$isogrid" verify ../moved/out.h5 --retrain "$trial" --tokens ../moved/small.tok
    grep -q 'is not the text' err.txt || fail "another text is not told: $(cat err.txt)"
    expect_status 0 "$isogrid" verify ../moved/out.h5 --retrain "$trial" --tokens ../small.tok
)
mv moved/out.h5 .

# One of the right digest whose tokens are others is not trained on again.
cp small.tok damaged.tok
printf '\377' | dd of=damaged.tok bs=1 seek=1001 conv=notrunc status=none
for again in "verify out.h5 --retrain $trial" "export out.h5 --trial $trial --step 1 --to none"; do
    read -ra words <<<"$again"
    expect_status 2 "$isogrid" "${words[@]}" --tokens damaged.tok
    grep -q 'damaged\.tok: is damaged' err.txt || fail "damaged tokens are not told: $(cat err.txt)"
done

# The crate holds the same archive and says its digest; what is no archive makes none.
expect_status 0 "$isogrid" crate out.h5 --to crate --license https://spdx.org/licenses/CC-BY-4.0
grep -q 'crate/ro-crate-metadata.json' out.txt || fail "crate does not say what it wrote: $(cat out.txt)"
cmp out.h5 crate/out.h5 || fail "the crate holds another archive"
for word in "$(sha256sum <out.h5 | cut -d ' ' -f 1)" https://spdx.org/licenses/CC-BY-4.0; do
    grep -q "$word" crate/ro-crate-metadata.json || fail "the crate does not name $word"
done
expect_status 0 "$isogrid" verify crate/out.h5
expect_status 2 "$isogrid" crate small.toml --to none
[[ ! -e none/ro-crate-metadata.json ]] || fail "a job file became a crate"
expect_status 2 "$isogrid" crate out.h5

# What is wrong is JSON too, also of a file whose name is no UTF-8.
odd=$'odd\xff.h5'
head -c 2000 out.h5 >"$odd"
expect_status 2 "$isogrid" verify "$odd" --json
grep -q '"status": "damaged"' out.txt || fail "no JSON of an oddly named file: $(cat out.txt err.txt)"

mkdir batches
cd batches || exit
expect_status 0 "$isogrid" batches ../small.toml --trial "$trial" --steps 0:2
arrays=$(find . -name '*.npy')
[[ -n $arrays ]] || fail "batches wrote no .npy file"
for array in $arrays; do
    [[ $(head -c 6 "$array" | tail -c 5) == NUMPY ]] || fail "$array is not a NumPy array"
done

# A trial's number means the same trial in a job and in its archive; what is no range of steps is refused.
first=$(basename "$(echo "$arrays" | head -n 1)")
expect_status 0 "$isogrid" batches ../small.toml --trial 0 --steps 0:2 --to numbered.npy
[[ $first == "$trial"-* ]] || fail "$first is not named after $trial"
cmp numbered.npy "$first" || fail "trial 0 is not $trial"
expect_status 2 "$isogrid" batches ../small.toml --trial 0 --steps 0x:2
grep -q '0x:2' err.txt || fail "the refusal does not name the steps: $(cat err.txt)"
