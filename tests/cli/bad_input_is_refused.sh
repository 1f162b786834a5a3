#!/usr/bin/env bash
# Bad input ends with exit status 2 and one message a fault, and leaves nothing behind.
source "$(dirname "$0")/small_study.sh" "$1"

expect_message() { grep -qE -- "$1" err.txt out.txt || fail "no message like \"$1\" but: $(cat err.txt out.txt)"; }

expect_status 2 "$isogrid" run missing.toml --archive out.h5
expect_message 'missing\.toml'
expect_status 2 "$isogrid" plan
expect_status 2 "$isogrid" no-such-verb
expect_message 'no-such-verb'
expect_status 2 "$isogrid" tokenize missing.txt --out x.tok
expect_message 'missing\.txt'
[[ ! -e x.tok ]] || fail "a token file was made of nothing"

make_study
expect_status 2 "$isogrid" run small.toml
expect_status 2 "$isogrid" run small.toml --archive out.h5 --no-such-option
expect_message 'no-such-option'

# Every fault at once, each with its line.
sed -e 's/^seed = 7/seeed = 7/' -e 's/^widths = .*/widths = [16, 20]/' -e 's/small\.tok/missing.tok/' small.toml >faulty.toml
expect_status 2 "$isogrid" run faulty.toml --archive out.h5
expect_message 'faulty\.toml:3: .*seeed'
expect_message 'faulty\.toml:5: .*missing\.tok'
expect_message 'faulty\.toml:7: model\.widths\[2\]'
[[ ! -e out.h5 && ! -e out.h5.d ]] || fail "a refused job left an archive behind"

for verb in "status" "verify" "export --trial x --to y"; do
    read -ra words <<<"$verb"
    expect_status 2 "$isogrid" "${words[0]}" missing.h5 "${words[@]:1}"
    expect_message 'missing\.h5'
done
echo "this is no archive" >text.h5
expect_status 2 "$isogrid" verify text.h5
expect_message 'text\.h5'

# Tokens that are not those of the digest, which is part of every trial's identity: a token that is another one, and
# one that the vocabulary does not have.
make_job tokens.toml
for byte in '\0141' '\0377'; do
    cp small.tok kept.tok
    printf '%b' "$byte" | dd of=small.tok bs=1 seek=1001 conv=notrunc status=none
    expect_status 2 "$isogrid" run tokens.toml --archive out.h5
    expect_message 'small\.tok: is damaged \(its content does not have the digest'
    [[ ! -e out.h5 && ! -e out.h5.d ]] || fail "a job with damaged tokens left an archive behind"
    mv kept.tok small.tok
done

# What was meant, where a word is nearly right.
expect_status 2 "$isogrid" plann small.toml
expect_message 'write plan,'
expect_status 2 "$isogrid" plan small.toml --rank 2
expect_message 'write --ranks,'
expect_status 2 "$isogrid" batches small.toml --trial b1-w16 --steps 0:1
expect_message 'the nearest name is b1-w16-d1\)'

# In our words, and at the place that is wrong.
expect_status 2 "$isogrid" plan small.toml --scale 0
expect_message '^--scale is 0 \(the range is 1e-06 to 1e\+06\)'
expect_status 2 "$isogrid" plan small.toml --scale 1e-5
expect_message 'small\.toml:[0-9]+: isoflop\.budgets\[1\] \(scaled by 1e-05\): 20000'
expect_status 2 "$isogrid" plan small.toml --ranks 4x
expect_message '^isogrid plan: --ranks is "4x" \(a whole number is expected.*write --ranks 4, or see'
expect_status 2 "$isogrid" plan small.toml other.toml
expect_message '^isogrid plan: takes no more words than JOB'
expect_status 2 "$programs/isogrid-fit"
expect_message 'isogrid-fit --help'
printf '\211HDF\r\n\032\n' >archive.h5
expect_status 2 "$isogrid" plan archive.h5
expect_message '^archive\.h5: is an HDF5 file'
expect_status 0 "$isogrid" help plan
expect_message '^usage: isogrid plan JOB'

for ranks in 0 2000000000; do
    expect_status 2 "$isogrid" plan small.toml --ranks "$ranks"
    expect_message "isogrid plan: --ranks $ranks cannot be planned for \\(there may be 1 to 1000000\\)"
done

# An archive without a name, as of an unset variable, is not found out when all is trained.
for archive in "" nowhere/; do
    expect_status 2 "$isogrid" run small.toml --archive "$archive"
    expect_message 'names no file'
    [[ ! -e .d && ! -e nowhere ]] || fail "something was made for an archive without a name"
done

# What a rank can read is no bad input: nodes have lost sight of it, and another start may go without them.
expect_status 2 mpirun -n 2 "$isogrid" run missing.toml --archive out.h5
expect_status 1 mpirun -n 1 "$isogrid" run small.toml --archive out.h5 : -n 1 "$isogrid" run missing.toml --archive out.h5
expect_message "rank 1 on $(uname -n): missing\.toml"
expect_status 1 mpirun -n 1 "$isogrid" run missing.toml --archive out.h5 : -n 1 "$isogrid" run small.toml --archive out.h5
expect_message "rank 0 on $(uname -n): missing\.toml"
[[ ! -e out.h5 && ! -e out.h5.d ]] || fail "a refused job left an archive behind"

# What is wrong for all ranks is said once.
expect_status 2 mpirun -n 3 "$isogrid" run small.toml --archve out.h5
(($(grep -c "unrecognised option '--archve'" err.txt) == 1)) || fail "not said once: $(cat err.txt)"

# What could not be said is no success.
status=0
"$isogrid" plan small.toml --json >/dev/full 2>err.txt || status=$?
((status == 1)) || fail "exit status $status of a plan that a full disk swallowed"
grep -q 'standard output' err.txt || fail "nothing is said of it: $(cat err.txt)"
