#include "train/reduction_tree.hpp"

#include <algorithm>
#include <array>
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

/// On a rank whose last leaf stands at level `waiting`, or at 1 where it is the only one: adds it to what
/// waits at the levels below, down to 0, and what the other ranks have to that, into level 0. `part` gives a
/// level's numbers.
template <class Part>
void sum_levels(kernels::Backend& backend, kernels::Links& links, std::int64_t waiting, Part part) {
    for (std::int64_t level = waiting; level > 0; --level)
        backend.accumulate(part(level - 1), part(level));
    links.sum(part(waiting == 0 ? 1 : 0), part(0), part(waiting < 2 ? 2 : 1));
}

}  // namespace

ReductionTree::ReductionTree(std::int64_t leaves, std::int64_t floats, std::int64_t sums,
                             kernels::Backend& backend, Communicator& group, ThreadTeam& team,
                             kernels::Links* links, std::int64_t slice_floats)
    : leaves_of_rank_(leaves / group.size()),
      floats_(floats),
      sum_count_(sums),
      slice_floats_(slice_floats),
      backend_(&backend),
      group_(&group),
      team_(&team),
      links_(links) {
    assert(std::has_single_bit(static_cast<std::uint64_t>(leaves)) && leaves % group.size() == 0);
    const auto count =
        static_cast<std::size_t>(buffers(leaves_of_rank_, group.size(), team.size(), links != nullptr));
    const std::size_t bytes = count * static_cast<std::size_t>(floats) * sizeof(float);
    storage_ = backend.allocate(bytes);
    backend.fill_zero(storage_.get(), bytes);  // the gaps between tensors are never written and must be zero
    sums_storage_ = backend.allocate(count * static_cast<std::size_t>(sums) * sizeof(double));
}

int ReductionTree::members(std::int64_t leaves_of_rank, int threads) {
    return static_cast<int>(
        std::bit_floor(static_cast<std::uint64_t>(std::min<std::int64_t>(threads, leaves_of_rank))));
}

std::int64_t ReductionTree::buffers(std::int64_t leaves_of_rank, int ranks, int threads, bool linked) {
    const std::int64_t working = members(leaves_of_rank, threads);
    return std::max<std::int64_t>(working * depth(leaves_of_rank / working), ranks == 1 ? 1 : linked ? 3 : 2);
}

std::span<float> ReductionTree::buffer(std::int64_t level) {
    return {reinterpret_cast<float*>(storage_.get()) + level * floats_, static_cast<std::size_t>(floats_)};
}

std::span<double> ReductionTree::sums(std::int64_t level) {
    return {reinterpret_cast<double*>(sums_storage_.get()) + level * sum_count_,
            static_cast<std::size_t>(sum_count_)};
}

void ReductionTree::sum_leaves(const ComputeLeaf& compute_leaf) {
    if (links_ != nullptr) return sum_by_links(compute_leaf);
    // The lowest levels, each thread a subtree; then the threads' sums in pairs.
    const int working = members(leaves_of_rank_, team_->size());
    const std::int64_t share = leaves_of_rank_ / working, first = group_->rank() * leaves_of_rank_;
    team_->run([&](int member) {
        if (member < working)
            subtree(first + member * share, share, member * depth(share), compute_leaf, member);
    });
    for (int distance = 1; distance < working; distance *= 2)
        team_->run([&](int member) {
            if (member < working && member % (2 * distance) == 0)
                add(member * depth(share), (member + distance) * depth(share));
        });
}

bool ReductionTree::sum_ranks(bool stop) {
    // Recursive doubling: at each level every rank adds its partner's half. Floating point addition commutes,
    // so both partners hold the same bits.
    for (int distance = 1; distance < group_->size(); distance *= 2) {
        const int partner = group_->rank() ^ distance;
        stop = exchange_sums(partner, stop);
        exchange_gradients(partner);
        add(0, 1);
    }
    return stop;
}

void ReductionTree::subtree(std::int64_t first_leaf, std::int64_t count, std::int64_t level,
                            const ComputeLeaf& compute_leaf, int member) {
    if (count == 1) {
        backend_->fill_zero(sums(level).data(), sums(level).size_bytes());
        compute_leaf(first_leaf, buffer(level), sums(level), member, {});
        return;
    }
    const std::int64_t half = count / 2;
    subtree(first_leaf, half, level, compute_leaf, member);
    subtree(first_leaf + half, half, level + 1, compute_leaf, member);
    add(level, level + 1);
}

/// Level by level the left half of what is left, until one leaf is: its gradient is summed up with what waits
/// for it, and with the other ranks', slice by slice as it comes, the last parameters first. No sum replaces
/// it, since its own norms are taken when all of it is there.
void ReductionTree::sum_by_links(const ComputeLeaf& compute_leaf) {
    std::int64_t leaf = group_->rank() * leaves_of_rank_, waiting = 0;
    for (std::int64_t half = leaves_of_rank_ / 2; half > 0; half /= 2, ++waiting) {
        subtree(leaf, half, waiting, compute_leaf, 0);
        leaf += half;
    }
    const std::int64_t last = std::max<std::int64_t>(waiting, 1);
    backend_->fill_zero(sums(last).data(), sums(last).size_bytes());
    std::int64_t summed_from = floats_;
    const auto sum_from = [&](std::int64_t first) {
        sum_slice(first, summed_from, waiting);
        summed_from = first;
    };
    compute_leaf(leaf, buffer(last), sums(last), 0, [&](std::int64_t final_from) {
        if (summed_from - final_from >= slice_floats_) sum_from(final_from);
    });
    sum_from(0);

    sum_levels(*backend_, *links_, waiting, [&](std::int64_t level) { return sums(level); });
    links_->join();
}

/// Of the gradient [first, end): the last leaf's, what waits for it on this rank, and what the others have.
void ReductionTree::sum_slice(std::int64_t first, std::int64_t end, std::int64_t waiting) {
    if (first == end) return;
    sum_levels(*backend_, *links_, waiting, [&](std::int64_t level) {
        return buffer(level).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(end - first));
    });
}

/// The sums of a level and those of another, into the first.
void ReductionTree::add(std::int64_t level, std::int64_t other) {
    backend_->accumulate(buffer(level), buffer(other));
    backend_->accumulate(sums(level), sums(other));
}

bool ReductionTree::any_stops(bool stop) {
    for (int distance = 1; distance < group_->size(); distance *= 2) {
        const std::array<double, 1> mine = {stop ? 1.0 : 0.0};
        std::array<double, 1> theirs{};
        group_->exchange(group_->rank() ^ distance, std::span<const double>(mine), std::span<double>(theirs));
        stop = stop || theirs[0] != 0;
    }
    return stop;
}

/// The partner's sums, into sums(1); true if either was asked to stop.
bool ReductionTree::exchange_sums(int partner, bool stop) {
    std::vector<double> mine(static_cast<std::size_t>(sum_count_)), theirs(mine.size() + 1);
    backend_->copy_out(mine.data(), sums(0).data(), sums(0).size_bytes());
    mine.push_back(stop ? 1 : 0);
    group_->exchange(partner, std::span<const double>(mine), theirs);
    backend_->copy_in(sums(1).data(), theirs.data(), sums(1).size_bytes());
    return stop || theirs.back() != 0;
}

/// The partner's gradient, into buffer(1).
void ReductionTree::exchange_gradients(int partner) {
    if (backend_->on_host()) return group_->exchange(partner, std::span<const float>(buffer(0)), buffer(1));
    outgoing_.resize(static_cast<std::size_t>(floats_));
    incoming_.resize(outgoing_.size());
    backend_->copy_out(outgoing_.data(), buffer(0).data(), outgoing_.size() * sizeof(float));
    group_->exchange(partner, std::span<const float>(outgoing_), incoming_);
    backend_->copy_in(buffer(1).data(), incoming_.data(), incoming_.size() * sizeof(float));
}

}  // namespace isogrid::train
