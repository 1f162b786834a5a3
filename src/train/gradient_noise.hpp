// The gradient noise scale at no extra pass: leaves are small batches, their sum is the large one.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "archive/record.hpp"
#include "graph/memory_plan.hpp"
#include "kernels/backend.hpp"
#include "study/parameter_group.hpp"

namespace isogrid::train {

/// Squared norms of a gradient, by study::ParameterGroup.
using GroupNorms = std::array<double, study::parameter_groups.size()>;

/// Where each group lies in a flat gradient. Neighbours of one group are one run: gaps between them are zero.
/// Kinds are groups, which `groups` gives for the layout's parameters in its order.
std::vector<kernels::Run> runs_of_groups(const std::vector<study::ParameterGroup>& groups,
                                         const graph::ParameterLayout& layout);

/// Unbiased estimates from gradients of two batches (McCandlish et al. 2018, equations A.2 and A.3), B
/// sequences and B / leaves:
///   |G|^2     = (B |G_B|^2 - b |G_b|^2) / (B - b)
///   tr(Sigma) = (|G_b|^2 - |G_B|^2) / (1 / b - 1 / B)
/// `leaf_norms` is the sum over leaves of the squared norm of a leaf's share of the batch's mean gradient, so
/// that |G_b|^2 = leaves * leaf_norms in the mean; `batch_norm` is |G_B|^2. Not numbers with one leaf.
archive::GradientNoise gradient_noise(double leaf_norms, double batch_norm, std::int64_t leaves,
                                      std::int64_t batch);

/// What is summed from a row of the curve to the next; the estimates are linear in the norms.
struct NoiseSums {
    GroupNorms of_leaves{};  ///< each step's sum over its leaves
    GroupNorms of_batch{};
};

/// Writes the means over `steps` steps into a row, which stays as it is when there was none. `batch` in
/// sequences.
void write_noise(archive::CurvePoint& row, const NoiseSums& sums, std::int64_t steps, std::int64_t leaves,
                 std::int64_t batch);

}  // namespace isogrid::train
