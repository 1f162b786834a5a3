// The tables and pictures of sweeps and of the laws through their optima.
#pragma once

#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/laws/knob_law.hpp"

namespace isogrid::analysis {

Table sweep_table(const std::vector<Sweep>& sweeps, const std::vector<std::vector<Bowl>>& redrawn);

/// What the batch may follow, with each rule's error on what it had not seen.
Table batch_rule_table(const std::vector<BatchRule>& rules);

/// Loss against the batch, or against the learning rate.
Figure bowls_figure(const std::vector<Sweep>& sweeps, bool batch);

/// The optima with their law against its first regressor; the second, if any, is the colour.
Figure law_figure(const KnobLaw& law, const std::vector<std::vector<Bowl>>& redrawn);

}  // namespace isogrid::analysis
