// The best mixture within the shares that were tried.
#pragma once

#include <vector>

#include "analysis/laws/mixture_forms.hpp"

namespace isogrid::analysis {

/// The mixture of lowest loss: down the gradient within the shares tried, from each of `starts`.
Shares best_mixture(const LossOfShares& loss, const Mixtures& data, const std::vector<Shares>& starts);

/// Where to start: the three best mixtures run, and what lies nearest to each source alone.
std::vector<Shares> corners_and_best(const Mixtures& data, const LossOfShares& loss);

}  // namespace isogrid::analysis
