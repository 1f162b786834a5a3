#!/usr/bin/env bash
# What a person asks for with --retry is done by the first start of a sweep that comes to note it of the trials. Later
# ones, in the same allocation, of the same job requeued, or of its successor, have all other options and not this one:
# trials that only ever crash would otherwise have their attempts back at every start, and the job would never end.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
printf '%s\n' "$*" >>started.txt
if [[ -e another_wishes.txt ]]; then # job 8, while this start is on its way to note what it was asked for
    mv another_wishes.txt out.h5.d/retry/8
    echo 8 >>out.h5.d/retry.job
fi
if [[ -e comes_to_note_it.txt && $* == *--retry* ]]; then # as isogrid does once it has the lock
    for wish in ${ISOGRID_WISHES-}; do rm -f "out.h5.d/retry/$wish"; done
    rmdir out.h5.d/retry 2>/dev/null
fi
exit "$(<status_of_start.txt)"
END_OF_PROGRAM
stand_in sbatch <<'END_OF_PROGRAM'
printf '%s\n' "$*" >>submitted.txt
echo 8
END_OF_PROGRAM
stand_in squeue </dev/null
stand_in sleep <<<'exec /bin/sleep 0.01'
script_alone=$script
script=$scratch/with_retry.sh
cat >"$script" <<END_OF_PROGRAM
set -- "\$@" --no-pin --retry failed --isa avx2 --retry=out_of_memory
source "$script_alone"
END_OF_PROGRAM

# expect_starts TEXT...: the options of one start after the other.
expect_starts() {
    local expected
    expected=$(printf 'run job.toml --archive out.h5 %s\n' "$@")
    [[ $(sed 's/.* run job/run job/' started.txt) == "$expected" ]] || fail "the starts were: $(cat started.txt)"
    rm started.txt
}
later='--no-pin --isa avx2'
asked="$later --retry failed --retry out_of_memory"

echo 1 >status_of_start.txt
job_with
expect_starts "$asked" "$asked" "$asked" "$asked"
[[ ! -e out.h5.d/retry ]] || fail "the wish has outlived the job"
rm -rf out.h5.d
echo 75 >status_of_start.txt
job_with
sed -i 's/Restarts=0/Restarts=1/' bin/scontrol
job_with
expect_starts "$asked" "$asked"
sed -i 's/Restarts=1/Restarts=0/' bin/scontrol
rm -r out.h5.d

touch comes_to_note_it.txt
echo 1 >status_of_start.txt
job_with
expect_starts "$asked" "$later" "$later" "$later"
rm -rf out.h5.d

echo 75 >status_of_start.txt
job_with SLURM_RESTART_COUNT=0
expect_starts "$asked"
rm -r out.h5.d # as if it were another job's
job_with ISOGRID_CHAIN=yes SLURM_JOB_NAME=sweep
expect_starts "$asked"
[[ $(<submitted.txt) == *" job.toml out.h5 $later" ]] || fail "the successor is: $(<submitted.txt)"
sed -i 's/Restarts=0/Restarts=1/' bin/scontrol
job_with
expect_starts "$later"

# A job that Slurm had requeued before its script ran has not asked yet. One that is refused takes no other's wish away.
rm -r out.h5.d
rm comes_to_note_it.txt
job_with
expect_starts "$asked"
echo 2 >status_of_start.txt
printf '{\n    "job": "6"\n}\n' >out.h5.d/lock
stand_in stat <<<'date +%N' # a lock that beats
job_with
expect_starts "$asked"
[[ -e out.h5.d/retry ]] || fail "another job has the lock, and the wish is gone"

# Two jobs may wish of one sweep, both at once. Each is heard once, in whichever comes to note it.
# with_options WORD...: what the jobs from here on have behind JOB.toml and OUT.h5.
with_options() { printf 'set -- "$@" %s\nsource "%s"\n' "$*" "$script_alone" >"$script"; }
with_options --retry out_of_memory
job_with SLURM_JOB_ID=8
expect_starts '--retry failed --retry out_of_memory'
with_options --no-pin --retry failed --isa avx2
touch comes_to_note_it.txt
echo 75 >status_of_start.txt
rm out.h5.d/lock
job_with
expect_starts "$asked"
job_with
expect_starts "$later"

# Another job wishes while a start that has not been asked for that is on its way: it is for the next.
rm -rf out.h5.d
echo out_of_memory >another_wishes.txt
with_options --no-pin --retry failed
job_with
expect_starts '--no-pin --retry failed'
job_with
expect_starts '--no-pin --retry out_of_memory'
job_with
expect_starts --no-pin
rm -rf out.h5.d
with_options --no-pin --retry failed --isa avx2
job_with
expect_starts "$later --retry failed"

# What is no wish is for isogrid to refuse, in that job alone.
for words in '--retry diverged' --retry=diverged --retry; do
    rm -f comes_to_note_it.txt out.h5.d/failures
    echo 2 >status_of_start.txt
    printf '{\n    "job": "7"\n}\n' >out.h5.d/lock
    # shellcheck disable=SC2086  # two words
    with_options $words --no-pin
    job_with SLURM_JOB_ID=8
    expect_starts "$words --no-pin"
    with_options --no-pin --retry failed --isa avx2
    echo 75 >status_of_start.txt
    job_with
    expect_starts "$later"
done

# An earlier version kept all wishes in one file, and a disk that was full has taken a part of one.
rm -rf out.h5.d
mkdir out.h5.d
printf 'failed\nout_of' >out.h5.d/retry
echo 7 >out.h5.d/retry.job
job_with
expect_starts "$later --retry failed"

# What another job wished, and nobody has heard yet, outlives a job that ends badly.
rm -rf out.h5.d bin/stat
mkdir -p out.h5.d/retry
echo out_of_memory >out.h5.d/retry/5
echo 1 >status_of_start.txt
job_with
rm started.txt
[[ -e out.h5.d/retry/5 && ! -e out.h5.d/retry/7 ]] || fail "after a bad end there are the wishes $(ls out.h5.d/retry)"

# A wish that cannot be noted is told of, and the rest is done.
rm -rf out.h5.d
mkdir out.h5.d
ln -s not_there/either out.h5.d/retry
echo 75 >status_of_start.txt
job_with
expect_starts "$later"
expect_in_log 'retry failed could not be noted'
