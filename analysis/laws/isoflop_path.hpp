// The frontier through the minima of isoFLOP budgets, found one way, and how sure it is.
#pragma once

#include <vector>

#include "analysis/laws/frontier.hpp"
#include "analysis/laws/isoflop_budgets.hpp"

namespace isogrid::analysis {

constexpr std::size_t fewest_budgets = 3;

/// Everything that follows from one way of finding minima.
struct MinimaPath {
    MinimumBy by = MinimumBy::akima;
    std::vector<const Budget*> usable;
    std::vector<Optimum> optima;
    std::vector<double> size_errors, loss_errors;  ///< of log N* and log L*, from redrawn losses
    FrontierWeights weights;
    Frontier frontier;
    FrontierReplicates replicates;
    double unexplained = 0;  ///< squares of log N* about the law in units of the trusted errors
};

/// The budgets that have a minimum by `by`, and the frontier through them where they are enough. The budgets
/// must outlive the path.
MinimaPath follow_minima(const std::vector<Budget>& budgets, MinimumBy by, const SeedNoise& noise,
                         const FitOptions& options);

}  // namespace isogrid::analysis
