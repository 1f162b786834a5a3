#include "train/reduction_tree.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>

namespace isogrid::train {

ReductionTree::ReductionTree(std::int64_t leaves, std::int64_t floats, kernels::Backend& backend,
                             Communicator& group)
    : leaves_of_rank_(leaves / group.size()), floats_(floats), backend_(&backend), group_(&group) {
    assert(std::has_single_bit(static_cast<std::uint64_t>(leaves)) && leaves % group.size() == 0);
    const auto bytes =
        static_cast<std::size_t>(buffers(leaves_of_rank_, group.size()) * floats) * sizeof(float);
    storage_ = backend.allocate(bytes);
    backend.fill_zero(storage_.get(), bytes);  // the gaps between tensors are never written and must be zero
}

std::int64_t ReductionTree::buffers(std::int64_t leaves_of_rank, int ranks) {
    const auto depth = std::bit_width(static_cast<std::uint64_t>(leaves_of_rank));  // log2 + 1
    return std::max<std::int64_t>(depth, ranks > 1 ? 2 : 1);
}

std::span<float> ReductionTree::buffer(std::int64_t level) {
    return {reinterpret_cast<float*>(storage_.get()) + level * floats_, static_cast<std::size_t>(floats_)};
}

LeafSums ReductionTree::reduce(const ComputeLeaf& compute_leaf) {
    LeafSums sums = subtree(group_->rank() * leaves_of_rank_, leaves_of_rank_, 0, compute_leaf);
    // Recursive doubling: at each level every rank adds its partner's half. Floating point addition commutes,
    // so both partners hold the same bits.
    for (int distance = 1; distance < group_->size(); distance *= 2)
        sums = combine_with(group_->rank() ^ distance, sums);
    return sums;
}

LeafSums ReductionTree::subtree(std::int64_t first_leaf, std::int64_t count, std::int64_t level,
                                const ComputeLeaf& compute_leaf) {
    if (count == 1) return compute_leaf(first_leaf, buffer(level));
    const std::int64_t half = count / 2;
    const LeafSums left = subtree(first_leaf, half, level, compute_leaf);
    const LeafSums right = subtree(first_leaf + half, half, level + 1, compute_leaf);
    backend_->accumulate(buffer(level), buffer(level + 1));
    return {left.loss + right.loss, left.stop + right.stop};
}

LeafSums ReductionTree::combine_with(int partner, LeafSums sums) {
    const std::array<double, 2> mine = {sums.loss, sums.stop};
    std::array<double, 2> theirs{};
    group_->exchange(partner, mine, theirs);
    group_->exchange(partner, std::span<const float>(buffer(0)), buffer(1));
    backend_->accumulate(buffer(0), buffer(1));
    return {mine[0] + theirs[0], mine[1] + theirs[1]};
}

}  // namespace isogrid::train
