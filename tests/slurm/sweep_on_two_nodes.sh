#!/usr/bin/env bash
# `sbatch slurm/sweep.sbatch` over two nodes gives the results of `isogrid run` alone, also when interrupted and requeued.
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../cli/small_study.sh" "$1"
"$here/cluster.sh" check

cluster=$scratch/cluster
trap '"$here/cluster.sh" stop "$cluster"; rm -rf "$scratch"' EXIT
"$here/cluster.sh" start "$cluster"
eval "$("$here/cluster.sh" env "$cluster")"

make_study

# The batch script looks for build/bin/isogrid; the programs under test may lie elsewhere.
mkdir -p root/build
ln -s "$programs" root/build/bin
ln -s "$repository/slurm" root/slurm
export ISOGRID_ROOT=$scratch/root ISOGRID_LAUNCHER=mpirun # srun over nodes fails now and then under load

# submit ARGUMENT...: the batch script as a job over both nodes; its log is sweep.log.
submit() {
    rm -f sweep.log
    job=$(sbatch --parsable --nodes 2 --ntasks-per-node 2 --time 2 --output sweep.log \
        "$repository/slurm/sweep.sbatch" "$@")
}

wait_for_job() {
    for _ in {1..500}; do
        [[ -n $(squeue -h -j "$job") ]] || return 0
        sleep 0.2
    done
    cat sweep.log >&2
    fail "the job did not end in 100 s"
}

expect_in_log() { grep -q -- "$1" sweep.log || fail "not in the log: $1; it says: $(cat sweep.log)"; }

expect_status 0 "$isogrid" run small.toml --archive alone.h5
submit small.toml slurm.h5
wait_for_job
expect_in_log '4 ranks on node\[1-2\], mpirun'
expect_in_log '^sweep.sbatch: done'
expect_same_digests alone.h5 slurm.h5

# Signalled as Slurm does before the time limit, the job stops and requeues itself; its second start does the rest.
make_job long.toml 0 "$long"
expect_status 0 "$isogrid" run long.toml --archive alone-long.h5
submit long.toml slurm-long.h5
wait_for_trial slurm-long.h5
scancel --batch --signal=USR1 "$job"
wait_for_job
expect_in_log '^sweep.sbatch: work is left; requeueing'
expect_in_log '^sweep.sbatch: .* start 2:'
expect_in_log '^sweep.sbatch: done'
expect_same_digests alone-long.h5 slurm-long.h5

# Without its arguments the batch script says what it needs.
submit small.toml
wait_for_job
expect_in_log 'JOB.toml and OUT.h5 are missing'
