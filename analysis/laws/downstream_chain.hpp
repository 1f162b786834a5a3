// From size and data to the error on a task: the law of loss, then that of the error.
#pragma once

#include <optional>
#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/laws/downstream_forms.hpp"
#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// The two laws one after the other, with the replicates of both.
struct ErrorChain {
    ErrorForm form;
    std::vector<double> values;
    std::vector<std::vector<double>> replicates;
    double widening = 1;
    LawFit loss;
    bool drawn_together = false;  ///< replicate k of both is of the same resampled runs

    /// At a size and a number of tokens, with the interval of both laws.
    Estimate error(double parameters, double tokens) const;
};

/// An error is a share of answers, 0 to 1: nothing where a form says less or more, and an interval is cut off
/// there.
std::optional<Estimate> as_share(Estimate error);

/// The error of the best size at 1, 10 and 100 times the `largest` compute; without one, and with a warning,
/// where the form comes to none between 0 and 1.
Table prediction_table(const ErrorChain& chain, double largest, std::vector<Reason>& warnings);

/// The error over the loss: runs, the law in its interval, and the other form (null: none).
Figure error_figure(const ErrorPairs& pairs, const ErrorForm& chosen, const ParametricFit& found,
                    const ErrorForm* other, const ParametricFit* other_found);

/// The error over compute: runs, and the chain at the best size for each compute.
Figure chain_figure(const ErrorChain& chain, const std::vector<Run>& runs);

}  // namespace isogrid::analysis
