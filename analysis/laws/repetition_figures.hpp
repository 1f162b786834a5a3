// What the data-constrained law says, as tables and pictures: the worth of epochs, the best split of compute.
#pragma once

#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/fit/bootstrap.hpp"
#include "analysis/laws/repetition.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// The law at the fit and at its replicates.
struct RepetitionLaws {
    RepetitionLaw law;
    std::vector<RepetitionLaw> replicates;
    double widening = 1;

    template <class Of>
    Estimate estimate(const Of& of) const {
        return estimated(law, replicates, of, widening);
    }
};

Table worth_table(const RepetitionLaws& laws);

/// For each amount of different tokens, the split of compute into size and epochs that the law likes best.
Table frontier_table(const RepetitionLaws& laws, const std::vector<Run>& runs);

Figure worth_figure(const RepetitionLaws& laws, const std::vector<Run>& runs);

/// Loss over tokens of the sizes and data that were repeated most often.
Figure curves_figure(const RepetitionLaws& laws, const std::vector<Run>& runs);

}  // namespace isogrid::analysis
