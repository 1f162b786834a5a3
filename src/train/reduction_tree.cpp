#include "train/reduction_tree.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <vector>

namespace isogrid::train {

namespace {

/// Buffers of one thread that reduces `leaves` in memory: log2 + 1.
std::int64_t depth(std::int64_t leaves) {
    return std::bit_width(static_cast<std::uint64_t>(leaves));
}

LeafSums operator+(const LeafSums& left, const LeafSums& right) {
    LeafSums both = {left.loss + right.loss, left.stop + right.stop, {}};
    for (std::size_t group = 0; group < both.norms.size(); ++group)
        both.norms[group] = left.norms[group] + right.norms[group];
    return both;
}

}  // namespace

ReductionTree::ReductionTree(std::int64_t leaves, std::int64_t floats, kernels::Backend& backend,
                             Communicator& group, ThreadTeam& team)
    : leaves_of_rank_(leaves / group.size()),
      floats_(floats),
      backend_(&backend),
      group_(&group),
      team_(&team) {
    assert(std::has_single_bit(static_cast<std::uint64_t>(leaves)) && leaves % group.size() == 0);
    const auto bytes =
        static_cast<std::size_t>(buffers(leaves_of_rank_, group.size(), team.size()) * floats) *
        sizeof(float);
    storage_ = backend.allocate(bytes);
    backend.fill_zero(storage_.get(), bytes);  // the gaps between tensors are never written and must be zero
}

int ReductionTree::members(std::int64_t leaves_of_rank, int threads) {
    return static_cast<int>(
        std::bit_floor(static_cast<std::uint64_t>(std::min<std::int64_t>(threads, leaves_of_rank))));
}

std::int64_t ReductionTree::buffers(std::int64_t leaves_of_rank, int ranks, int threads) {
    const std::int64_t working = members(leaves_of_rank, threads);
    return std::max<std::int64_t>(working * depth(leaves_of_rank / working), ranks > 1 ? 2 : 1);
}

std::span<float> ReductionTree::buffer(std::int64_t level) {
    return {reinterpret_cast<float*>(storage_.get()) + level * floats_, static_cast<std::size_t>(floats_)};
}

LeafSums ReductionTree::reduce(const ComputeLeaf& compute_leaf) {
    // The lowest levels, each thread a subtree; then the threads' sums in pairs.
    const int working = members(leaves_of_rank_, team_->size());
    const std::int64_t share = leaves_of_rank_ / working, first = group_->rank() * leaves_of_rank_;
    std::vector<LeafSums> of_member(static_cast<std::size_t>(working));
    team_->run([&](int member) {
        if (member < working)
            of_member[static_cast<std::size_t>(member)] =
                subtree(first + member * share, share, member * depth(share), compute_leaf, member);
    });
    for (int distance = 1; distance < working; distance *= 2)
        team_->run([&](int member) {
            if (member >= working || member % (2 * distance) != 0) return;
            LeafSums& left = of_member[static_cast<std::size_t>(member)];
            const LeafSums& right = of_member[static_cast<std::size_t>(member + distance)];
            backend_->accumulate(buffer(member * depth(share)), buffer((member + distance) * depth(share)));
            left = left + right;
        });
    LeafSums sums = of_member.front();
    // Recursive doubling: at each level every rank adds its partner's half. Floating point addition commutes,
    // so both partners hold the same bits.
    for (int distance = 1; distance < group_->size(); distance *= 2)
        sums = combine_with(group_->rank() ^ distance, sums);
    return sums;
}

LeafSums ReductionTree::subtree(std::int64_t first_leaf, std::int64_t count, std::int64_t level,
                                const ComputeLeaf& compute_leaf, int member) {
    if (count == 1) return compute_leaf(first_leaf, buffer(level), member);
    const std::int64_t half = count / 2;
    const LeafSums left = subtree(first_leaf, half, level, compute_leaf, member);
    const LeafSums right = subtree(first_leaf + half, half, level + 1, compute_leaf, member);
    backend_->accumulate(buffer(level), buffer(level + 1));
    return left + right;
}

LeafSums ReductionTree::combine_with(int partner, LeafSums sums) {
    constexpr std::size_t scalars = 2;
    std::array<double, scalars + std::tuple_size_v<GroupNorms>> mine = {sums.loss, sums.stop}, incoming{};
    std::copy(sums.norms.begin(), sums.norms.end(), mine.begin() + scalars);
    group_->exchange(partner, mine, incoming);
    LeafSums theirs = {incoming[0], incoming[1], {}};
    std::copy(incoming.begin() + scalars, incoming.end(), theirs.norms.begin());
    exchange_gradients(partner);
    backend_->accumulate(buffer(0), buffer(1));
    return sums + theirs;
}

/// The partner's sums, into buffer(1).
void ReductionTree::exchange_gradients(int partner) {
    if (backend_->on_host()) return group_->exchange(partner, std::span<const float>(buffer(0)), buffer(1));
    outgoing_.resize(static_cast<std::size_t>(floats_));
    incoming_.resize(outgoing_.size());
    backend_->copy_out(outgoing_.data(), buffer(0).data(), outgoing_.size() * sizeof(float));
    group_->exchange(partner, std::span<const float>(outgoing_), incoming_);
    backend_->copy_in(buffer(1).data(), incoming_.data(), incoming_.size() * sizeof(float));
}

}  // namespace isogrid::train
