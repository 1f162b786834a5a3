# A profile to copy: source it before sbatch. Every line is optional.
module load gcc/12 openmpi/4.1 hdf5/1.10       # what isogrid was built with
export SBATCH_ACCOUNT=my-project               # sbatch --account
export SBATCH_PARTITION=standard               # sbatch --partition
export SBATCH_CONSTRAINT=zen3                  # one kind of processor: results are bit-identical only on one kind
# export ISOGRID_LAUNCHER=mpirun               # where `srun --mpi=list` does not show pmix
# export OMPI_MCA_btl_tcp_if_include=ib0       # where Open MPI picks the wrong network
