// The canonical reduction tree: a batch is cut into leaves fixed by the trial, and their gradients are summed
// in one binary tree, the lower levels in memory and the upper ones between ranks, so that the sum has the
// same bits on 1, 2, 4, ... ranks. (A library's all-reduce promises no such thing.)
//
// Ranks whose cards are linked sum the upper levels by their links, while the last leaf's backward pass goes
// on: of each part of the gradient as soon as it is final.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "graph/program.hpp"
#include "kernels/backend.hpp"
#include "train/communicator.hpp"
#include "train/thread_team.hpp"

namespace isogrid::train {

class ReductionTree {
  public:
    /// Computes one leaf as this member of the team: its gradient replaces what is in `gradient`, and what is
    /// summed beside it is added to `sums`, which are zero. By ops of the backend alone. `on_final` may be
    /// told of the gradient; what it was told of may be read, and is written no more.
    using ComputeLeaf =
        std::function<void(std::int64_t leaf, std::span<float> gradient, std::span<double> sums, int member,
                           const graph::GradientsFinal& on_final)>;

    /// `leaves` is a power of two and a multiple of the group's size; `floats` is the gradient's length,
    /// `sums` the number of float64 that are summed beside it. `links` are those of the group's cards, where
    /// it has them: they take slices of `slice_floats` or more (16 MB take some 40 microseconds by NVLink).
    ReductionTree(std::int64_t leaves, std::int64_t floats, std::int64_t sums, kernels::Backend& backend,
                  Communicator& group, ThreadTeam& team, kernels::Links* links = nullptr,
                  std::int64_t slice_floats = std::int64_t{1} << 22);

    /// Threads that have leaves of their own, of `threads` on a rank with `leaves_of_rank`: a power of two.
    static int members(std::int64_t leaves_of_rank, int threads);

    /// Runs this rank's leaves and sums them up, by links with those of all ranks: ops of the backend, which
    /// can be recorded.
    void sum_leaves(const ComputeLeaf& compute_leaf);

    /// Adds what the other ranks have summed up, where there are no links. Afterwards gradient() and sums()
    /// are those of the batch, the same on each rank. True where any rank was asked to `stop`, which is mixed
    /// into no result.
    bool sum_ranks(bool stop);
    /// Exchanges `stop` alone: true where any rank was asked to.
    bool any_stops(bool stop);

    std::span<float> gradient() { return buffer(0); }  ///< in the backend's memory
    std::span<double> sums() { return sums(0); }

    /// Frees the gradient's memory: the tree is of no more use.
    void release() { storage_.reset(); }

    /// Gradient-sized buffers that a rank with `leaves_of_rank` leaves in a group of `ranks` needs when it
    /// computes with `threads`, or is linked with the others.
    static std::int64_t buffers(std::int64_t leaves_of_rank, int ranks, int threads, bool linked);

  private:
    std::span<float> buffer(std::int64_t level);
    std::span<double> sums(std::int64_t level);
    void subtree(std::int64_t first_leaf, std::int64_t count, std::int64_t level,
                 const ComputeLeaf& compute_leaf, int member);
    void add(std::int64_t level, std::int64_t other);
    void sum_by_links(const ComputeLeaf& compute_leaf);
    void sum_slice(std::int64_t first, std::int64_t end, std::int64_t waiting);
    bool exchange_sums(int partner, bool stop);
    void exchange_gradients(int partner);

    std::int64_t leaves_of_rank_, floats_, sum_count_, slice_floats_;
    kernels::Backend* backend_;
    Communicator* group_;
    ThreadTeam* team_;
    kernels::Links* links_;
    kernels::Storage storage_, sums_storage_;
    /// For messages, where the backend's memory is not the program's.
    std::vector<float> outgoing_, incoming_;
};

}  // namespace isogrid::train
