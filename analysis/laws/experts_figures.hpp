// Pictures and the table of sparse models: what experts do to the loss, and what they are worth.
#pragma once

#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/laws/experts_model.hpp"

namespace isogrid::analysis {

/// A fitted law and that of each replicate.
struct RoutedLaws {
    RoutedLaw law;
    std::vector<RoutedLaw> replicates;
    double widening = 1;  ///< of the replicates' intervals (case_widening)

    explicit RoutedLaws(const ParametricFit& found);
    /// The size of the dense model of the same loss.
    Estimate effective(double parameters, double experts) const;
    /// That size over N.
    Estimate worth(double parameters, double experts) const;
};

/// A row a run under the key `effective_parameters`.
Table effective_table(const std::vector<RoutedRun>& runs, const RoutedLaws& laws);

/// `experts-loss`: loss against experts, a line a size.
Figure loss_figure(const std::vector<RoutedRun>& runs, const RoutedLaw& law);

/// `experts-worth`: effective parameters over N against experts, up to four sizes.
Figure worth_figure(const std::vector<RoutedRun>& runs, const RoutedLaws& laws);

}  // namespace isogrid::analysis
