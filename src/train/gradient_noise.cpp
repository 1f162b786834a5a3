#include "train/gradient_noise.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

namespace isogrid::train {

std::vector<kernels::Run> runs_of_groups(const std::vector<study::ParameterGroup>& groups,
                                         const graph::ParameterLayout& layout) {
    assert(groups.size() == layout.offsets.size());
    std::vector<kernels::Run> runs;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const std::int64_t first = layout.offsets[i];
        if (i == 0 || groups[i] != groups[i - 1])
            runs.push_back({first, 0, static_cast<std::int64_t>(groups[i])});
        runs.back().size = first + layout.sizes[i] - runs.back().first;
    }
    return runs;
}

archive::GradientNoise gradient_noise(double leaf_norms, double batch_norm, std::int64_t leaves,
                                      std::int64_t batch) {
    if (leaves < 2) return {};
    const double large = static_cast<double>(batch), small = large / static_cast<double>(leaves);
    const double leaf_norm = static_cast<double>(leaves) * leaf_norms;
    return {.signal = (large * batch_norm - small * leaf_norm) / (large - small),
            .variance = (leaf_norm - batch_norm) / (1 / small - 1 / large)};
}

void write_noise(archive::CurvePoint& row, const NoiseSums& sums, std::int64_t steps, std::int64_t leaves,
                 std::int64_t batch) {
    if (steps == 0) return;
    const auto count = static_cast<double>(steps);
    double all_of_leaves = 0, all_of_batch = 0;
    for (std::size_t group = 0; group < sums.of_leaves.size(); ++group) {
        row.noise_of_group[group] =
            gradient_noise(sums.of_leaves[group] / count, sums.of_batch[group] / count, leaves, batch);
        all_of_leaves += sums.of_leaves[group];
        all_of_batch += sums.of_batch[group];
    }
    row.noise = gradient_noise(all_of_leaves / count, all_of_batch / count, leaves, batch);
}

}  // namespace isogrid::train
