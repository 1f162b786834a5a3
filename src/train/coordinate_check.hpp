// Whether what a model computes keeps its size as models widen: what must hold before a muP ladder is worth
// training (Yang et al. 2022, appendix D.1, "coordinate checking").
#pragma once

#include <cstdint>
#include <vector>

#include "base/fault.hpp"
#include "data/token_file.hpp"
#include "kernels/backend.hpp"
#include "study/study.hpp"
#include "study/trial.hpp"

namespace isogrid::train {

/// Root mean squares over the coordinates of all positions of a few validation sequences.
struct CoordinateSizes {
    std::int64_t width = 0;
    double stream = 0;         ///< of the residual stream behind the last block, before training
    double stream_change = 0;  ///< of what a few steps change in it
    double logit_change = 0;   ///< of what they change in the scaled logits
};

/// Trains `trial` for `steps` steps at its peak learning rate and compares.
CoordinateSizes coordinate_sizes(const study::Trial& trial, const data::TokenFile& tokens,
                                 kernels::Backend& backend, std::int64_t steps);

/// The slope of log `size` over log width, by least squares.
double coordinate_slope(const std::vector<CoordinateSizes>& sizes, double CoordinateSizes::*size);

/// A fault for each size that grows or shrinks with the width: a slope beyond 0.3 either way, where muP
/// promises 0 and the standard parametrization gives about 1; or one where a width has diverged. `where`
/// begins each fault.
base::Faults coordinate_faults(const std::vector<CoordinateSizes>& sizes, const std::string& where);

/// The check of [mup], where the job asks for it: a few steps at each width under muP, at the middle one of
/// the learning rates, a ladder of widths for each depth. Nothing when all is well.
base::Faults check_coordinates(const study::Study& study, const data::TokenFile& tokens,
                               kernels::Backend& backend);

}  // namespace isogrid::train
