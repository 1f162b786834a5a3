#!/usr/bin/env bash
# slurm/sweep.sbatch, whatever its launcher says, is done where the archive was written and the run folder cleared up. It
# starts again where one of the two is not so. Launchers fail when a node is lost while MPI ends, and mpirun has said 0
# when one was lost in the middle. Where nothing was to do the archive stays as it was: that is believed the second time.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
echo start >>started.txt
[[ ! -e nothing_to_do ]] || exit 0
mkdir -p out.h5.d/attempts # as every run does first
(($(wc -l <started.txt) > 1)) || exit "$(source ./first_start)"
echo results >new.h5
mv new.h5 out.h5
rm -r out.h5.d
END_OF_PROGRAM

# expect_starts NUMBER: of a sweep whose first start does what standard input says, and ends with the status it prints.
expect_starts() {
    cat >first_start
    rm -f started.txt
    sweep
    (($(wc -l <started.txt) == $1)) || fail "$(wc -l <started.txt) starts instead of $1 after $(cat first_start): $(cat log.txt)"
    grep -q '^sweep.sbatch: done$' log.txt || fail "the job has not done it: $(cat log.txt)"
}

expect_starts 2 <<<'echo 0'
grep -q 'the archive is not whole, though the launcher ended with exit status 0' log.txt || fail "nothing is said of it: $(cat log.txt)"
rm out.h5
expect_starts 1 <<<'echo results >out.h5; rm -r out.h5.d; echo 1'
grep -q 'the archive is whole, though the launcher ended with exit status 1' log.txt || fail "nothing is said of it: $(cat log.txt)"

# The archive of an earlier run is no sign that this one was done, and one that was not cleared up after may be wrong.
expect_starts 2 <<<'rm -r out.h5.d; echo 1'
expect_starts 2 <<<'echo more >new.h5; mv new.h5 out.h5; echo 1'
expect_starts 1 <<<'echo more >new.h5; mv new.h5 out.h5; rm -r out.h5.d; echo 1'

# Nothing has run, or nothing was to do. The study may have grown since its archive was written.
echo old >out.h5
expect_starts 2 <<<'rm -r out.h5.d; echo 0'
[[ $(<out.h5) == results ]] || fail "done, and the archive holds '$(<out.h5)': $(cat log.txt)"
expect_in_log 'the archive is as it was, though the launcher ended with exit status 0'
touch nothing_to_do
expect_starts 2 <<<''
