#include "train/gradient_noise.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

namespace isogrid::train {

NormsByGroup::NormsByGroup(const std::vector<study::ParameterGroup>& groups,
                           const graph::ParameterLayout& layout, kernels::Backend& backend)
    : backend_(&backend) {
    assert(groups.size() == layout.offsets.size());
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const auto first = static_cast<std::size_t>(layout.offsets[i]);
        if (i == 0 || groups[i] != groups[i - 1]) parts_.push_back({first, 0, groups[i]});
        parts_.back().size = first + static_cast<std::size_t>(layout.sizes[i]) - parts_.back().first;
    }
}

GroupNorms NormsByGroup::of(std::span<const float> gradient) const {
    GroupNorms norms{};
    for (const Part& part : parts_)
        norms[static_cast<std::size_t>(part.group)] +=
            backend_->sum_of_squares(gradient.subspan(part.first, part.size));
    return norms;
}

archive::GradientNoise gradient_noise(double leaf_norms, double batch_norm, std::int64_t leaves,
                                      std::int64_t batch) {
    if (leaves < 2) return {};
    const double large = static_cast<double>(batch), small = large / static_cast<double>(leaves);
    const double leaf_norm = static_cast<double>(leaves) * leaf_norms;
    return {.signal = (large * batch_norm - small * leaf_norm) / (large - small),
            .variance = (leaf_norm - batch_norm) / (1 / small - 1 / large)};
}

void NoiseMeter::add(const GroupNorms& of_leaves, const GroupNorms& of_batch) {
    for (std::size_t group = 0; group < of_leaves.size(); ++group) {
        of_leaves_[group] += of_leaves[group];
        of_batch_[group] += of_batch[group];
    }
    ++steps_;
}

std::vector<double> NoiseMeter::sums() const {
    std::vector<double> sums = {static_cast<double>(steps_)};
    sums.insert(sums.end(), of_leaves_.begin(), of_leaves_.end());
    sums.insert(sums.end(), of_batch_.begin(), of_batch_.end());
    return sums;
}

void NoiseMeter::restore(std::span<const double> sums) {
    assert(sums.size() == 1 + of_leaves_.size() + of_batch_.size());
    steps_ = static_cast<std::int64_t>(sums[0]);
    std::copy_n(sums.begin() + 1, of_leaves_.size(), of_leaves_.begin());
    std::copy_n(sums.begin() + 1 + static_cast<std::ptrdiff_t>(of_leaves_.size()), of_batch_.size(),
                of_batch_.begin());
}

void NoiseMeter::take(archive::CurvePoint& row, std::int64_t batch) {
    if (steps_ == 0) return;
    const auto steps = static_cast<double>(std::exchange(steps_, 0));
    const GroupNorms of_leaves = std::exchange(of_leaves_, {}), of_batch = std::exchange(of_batch_, {});
    double all_of_leaves = 0, all_of_batch = 0;
    for (std::size_t group = 0; group < of_leaves.size(); ++group) {
        row.noise_of_group[group] =
            gradient_noise(of_leaves[group] / steps, of_batch[group] / steps, leaves_, batch);
        all_of_leaves += of_leaves[group];
        all_of_batch += of_batch[group];
    }
    row.noise = gradient_noise(all_of_leaves / steps, all_of_batch / steps, leaves_, batch);
}

}  // namespace isogrid::train
