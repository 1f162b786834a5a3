// The tables and pictures of isoFLOP budgets.
#pragma once

#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/laws/isoflop_path.hpp"

namespace isogrid::analysis {

/// Every budget with its minimum on the path, and by either way.
Table budget_table(const std::vector<Budget>& budgets, const MinimaPath& path);

/// The power laws by both ways to a minimum, side by side.
Table method_table(const std::vector<const MinimaPath*>& paths);

/// Loss against size, each budget with the curve that its minimum is read from.
Figure curves_figure(const std::vector<Budget>& budgets, MinimumBy by);

}  // namespace isogrid::analysis
