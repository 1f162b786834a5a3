// Where fits of the data-constrained law end: its local optima, and how flat the objective lies in R_D*.
#pragma once

#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/fit/options.hpp"
#include "analysis/laws/repetition_model.hpp"

namespace isogrid::analysis {

/// A place where starts end, and how many do.
struct RepetitionOptimum {
    std::vector<double> at;
    double value = 0;
    std::size_t starts = 0;
};

/// By rising objective; of `minima` those that converged.
std::vector<RepetitionOptimum> local_optima(const std::vector<Minimum>& minima);

Table optima_table(const RepetitionModel& data, const std::vector<RepetitionOptimum>& optima);

/// The lowest objective with R_D* held, over a grid of R_D*.
struct DecayProfile {
    std::vector<double> decay, objective;
};
DecayProfile profile(const RepetitionModel& data, const FitOptions& options,
                     const std::vector<RepetitionOptimum>& optima, double highest);

Figure profile_figure(const RepetitionModel& data, const DecayProfile& curve,
                      const std::vector<RepetitionOptimum>& optima);

}  // namespace isogrid::analysis
