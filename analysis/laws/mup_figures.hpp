// The pictures of `mup`.
#pragma once

#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/laws/mup_groups.hpp"

namespace isogrid::analysis {

/// Loss over the learning rate, a curve a width, of one parametrization.
Figure mup_bowls_figure(const MupGroup& group, const std::vector<Sweep>& sweeps);

/// The best learning rates over the width, and the power law of each parametrization.
Figure mup_slopes_figure(const std::vector<MupGroup>& groups, const std::vector<Sweep>& sweeps,
                         const std::vector<std::vector<Bowl>>& redrawn);

}  // namespace isogrid::analysis
