# Nodes of four CUDA cards: source it, then
#   sbatch --nodes 8 --ntasks-per-node 4 --time 8:00:00 slurm/sweep.sbatch jobs/cards.toml results/cards.h5
# Every rank sees its node's cards and takes the one of its place among the node's workers. Rank 0 coordinates and
# needs none: of 32 ranks 31 train.
export SBATCH_PARTITION=gpu                    # the site's name for it
export SBATCH_GPUS_PER_NODE=4
export SBATCH_CONSTRAINT=h100                  # one kind of card: results are bit-identical only on one kind
