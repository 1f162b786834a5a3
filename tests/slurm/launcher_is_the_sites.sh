#!/usr/bin/env bash
# slurm/sweep.sbatch starts ranks by srun where Slurm speaks what the MPI does, PMIx unless the site says otherwise, and
# else by mpirun; a launcher that it does not know is bad input.
source "$(dirname "$0")/stand_ins.sh"
stand_in srun <<'END_OF_PROGRAM'
if [[ $1 == --mpi=list ]]; then
    echo "MPI plugin types are...
    $(<types.txt)" >&2 # as Slurm does
elif [[ $* == *isogrid\ run* ]]; then
    echo "srun $1" >started.txt
    echo results >out.h5
fi
END_OF_PROGRAM
stand_in mpirun <<'END_OF_PROGRAM'
echo "mpirun" >started.txt
echo results >out.h5
END_OF_PROGRAM

# expect_start WORDS TYPES [VARIABLE=VALUE]...: of a site whose Slurm speaks TYPES.
expect_start() {
    echo "$2" >types.txt
    sweep ISOGRID_LAUNCHER= "${@:3}"
    [[ $(<started.txt) == "$1" ]] || fail "where Slurm speaks '$2' it was '$(<started.txt)', not '$1'"
}

expect_start 'srun --mpi=pmix' 'none cray_shasta pmix pmix_v4'
expect_start mpirun 'none pmi2'
expect_start 'srun --mpi=cray_shasta' 'none cray_shasta pmix' ISOGRID_SRUN_MPI=cray_shasta
expect_start mpirun 'none cray_shasta pmix' ISOGRID_SRUN_MPI=pmi2
expect_start mpirun 'none pmix' ISOGRID_LAUNCHER=mpirun
expect_start 'srun --mpi=pmix' none ISOGRID_LAUNCHER=srun
job_with ISOGRID_LAUNCHER=poe
expect_status 2
expect_in_log 'ISOGRID_LAUNCHER is poe (only srun and mpirun are known)'
