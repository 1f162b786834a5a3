#!/usr/bin/env bash
# What the batch scripts say of bad input: correct it. A build that is not where ISOGRID_ROOT says is not looked for
# elsewhere, and fit.sbatch leaves nothing behind where there is nothing to fit.
source "$(dirname "$0")/stand_ins.sh"
stand_in mpirun <<'END_OF_PROGRAM'
echo "job.toml: cannot be read" >&2
exit 2
END_OF_PROGRAM

# refused SCRIPT ARGUMENT...: it ends with status 2; what it says is in log.txt.
refused() {
    local status=0
    env PATH="$scratch/bin:$PATH" ISOGRID_ROOT="${root:-$scratch/root}" ISOGRID_LAUNCHER=mpirun SLURM_SUBMIT_DIR="$scratch/root" \
        SLURM_JOB_ID=7 SLURM_JOB_NODELIST=node1 SLURM_JOB_NUM_NODES=1 SLURM_NTASKS=2 SLURM_TASKS_PER_NODE=2 \
        SLURM_JOB_END_TIME=$(($(date +%s) + 7200)) bash "$@" >log.txt 2>&1 || status=$?
    ((status == 2)) || fail "exit status $status instead of 2: $(cat log.txt)"
}

refused "$script" job.toml out.h5
grep -q 'bad input, see above) correct it' log.txt || fail "nothing is said of bad input: $(cat log.txt)"
root=$scratch/elsewhere refused "$script" job.toml out.h5
grep -q "no build/bin/isogrid (looked in $scratch/elsewhere)" log.txt || fail "another build was taken: $(cat log.txt)"

# Trials that an earlier version has kept beside a link would all be trained again.
mkdir -p scratch_disk link.h5.d/trials
ln -s scratch_disk/out.h5 link.h5
refused "$script" job.toml link.h5
grep -q 'link.h5 is a link, and trials lie in link.h5.d (its run folder is .*/scratch_disk/out.h5.d)' log.txt ||
    fail "nothing is said of the link: $(cat log.txt)"

mkdir half
cp -r root/build half/
root=$scratch/half refused "$script" job.toml out.h5
grep -q "no slurm/sweep in $scratch/half" log.txt || fail "half of a repository was taken: $(cat log.txt)"

printf '#!/bin/sh\nexit 2\n' >root/build/bin/isogrid-fit
chmod +x root/build/bin/isogrid-fit
refused "$(dirname "$script")/fit.sbatch" missing.h5
[[ ! -e missing ]] || fail "a folder was made for a report of nothing"
root=$scratch/elsewhere refused "$(dirname "$script")/fit.sbatch" missing.h5
grep -q "no build/bin/isogrid-fit (looked in $scratch/elsewhere)" log.txt || fail "another build was taken: $(cat log.txt)"
