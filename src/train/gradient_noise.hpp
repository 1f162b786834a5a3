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

/// The groups' places in a flat gradient.
class NormsByGroup {
  public:
    /// `groups` are those of the layout's parameters, in its order; `backend` must outlive this.
    NormsByGroup(const std::vector<study::ParameterGroup>& groups, const graph::ParameterLayout& layout,
                 kernels::Backend& backend);

    /// float64 sums in a fixed order; may be called by several threads at once.
    GroupNorms of(std::span<const float> gradient) const;

  private:
    struct Part {
        std::size_t first = 0, size = 0;
        study::ParameterGroup group;
    };
    std::vector<Part> parts_;  ///< neighbours of one group as one: gaps between tensors are zero
    kernels::Backend* backend_;
};

/// Unbiased estimates from gradients of two batches (McCandlish et al. 2018, equations A.2 and A.3), B
/// sequences and B / leaves:
///   |G|^2     = (B |G_B|^2 - b |G_b|^2) / (B - b)
///   tr(Sigma) = (|G_b|^2 - |G_B|^2) / (1 / b - 1 / B)
/// `leaf_norms` is the sum over leaves of the squared norm of a leaf's share of the batch's mean gradient, so
/// that |G_b|^2 = leaves * leaf_norms in the mean; `batch_norm` is |G_B|^2. Not numbers with one leaf.
archive::GradientNoise gradient_noise(double leaf_norms, double batch_norm, std::int64_t leaves,
                                      std::int64_t batch);

/// Means over the steps between two rows of a curve. The estimates are linear in the norms, so that it is
/// norms that are summed.
class NoiseMeter {
  public:
    explicit NoiseMeter(std::int64_t leaves) : leaves_(leaves) {}

    /// Of one step: the sum over its leaves, and of the whole batch.
    void add(const GroupNorms& of_leaves, const GroupNorms& of_batch);

    /// Writes the means into a row and begins anew; the row stays as it is when there was no step. All of
    /// these steps had batches of `batch` sequences.
    void take(archive::CurvePoint& row, std::int64_t batch);

    /// What was summed since the last row, for a checkpoint, and the way back.
    std::vector<double> sums() const;
    void restore(std::span<const double> sums);

  private:
    std::int64_t leaves_, steps_ = 0;
    GroupNorms of_leaves_{}, of_batch_{};
};

}  // namespace isogrid::train
