// The canonical reduction tree: a batch is cut into leaves fixed by the trial, and their gradients are summed
// in one binary tree, the lower levels in memory and the upper ones between ranks, so that the sum has the
// same bits on 1, 2, 4, ... ranks. (A library's all-reduce promises no such thing.)
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/backend.hpp"
#include "train/communicator.hpp"
#include "train/thread_team.hpp"

namespace isogrid::train {

/// Scalars that travel up the tree beside the gradient.
struct LeafSums {
    double loss = 0;  ///< nats, summed over the leaf's tokens
    double stop = 0;  ///< not zero: a rank was asked to stop; never mixed into a result
};

class ReductionTree {
  public:
    /// Computes one leaf's gradient into `gradient` (replacing what is there), as this member of the team.
    using ComputeLeaf = std::function<LeafSums(std::int64_t leaf, std::span<float> gradient, int member)>;

    /// `leaves` is a power of two and a multiple of the group's size; `floats` is the gradient's length.
    ReductionTree(std::int64_t leaves, std::int64_t floats, kernels::Backend& backend, Communicator& group,
                  ThreadTeam& team);

    /// Threads that have leaves of their own, of `threads` on a rank with `leaves_of_rank`: a power of two.
    static int members(std::int64_t leaves_of_rank, int threads);

    /// Runs this rank's leaves and combines all ranks' sums. Afterwards gradient() holds the total, the same
    /// on each rank.
    LeafSums reduce(const ComputeLeaf& compute_leaf);

    std::span<float> gradient() { return buffer(0); }

    /// Frees the gradient's memory: the tree is of no more use.
    void release() { storage_.reset(); }

    /// Gradient-sized buffers that a rank with `leaves_of_rank` leaves in a group of `ranks` needs when it
    /// computes with `threads`.
    static std::int64_t buffers(std::int64_t leaves_of_rank, int ranks, int threads);

  private:
    std::span<float> buffer(std::int64_t level);
    LeafSums subtree(std::int64_t first_leaf, std::int64_t count, std::int64_t level,
                     const ComputeLeaf& compute_leaf, int member);
    LeafSums combine_with(int partner, LeafSums sums);
    void exchange_gradients(int partner);

    std::int64_t leaves_of_rank_, floats_;
    kernels::Backend* backend_;
    Communicator* group_;
    ThreadTeam* team_;
    kernels::Storage storage_;
    std::vector<float> outgoing_,
        incoming_;  ///< for messages, where the backend's memory is not the program's
};

}  // namespace isogrid::train
