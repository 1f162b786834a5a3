// Steps to a target loss against the batch, and the batch beyond which larger ones save few steps.
#pragma once

#include <cstddef>
#include <span>

namespace isogrid::analysis {

/// S = Smin (1 + Bcrit / B), the same as (S / Smin - 1)(E / Emin - 1) = 1 with E = B S examples and Emin =
/// Smin Bcrit (McCandlish et al. 2018, section 2.3; Kaplan et al. 2020, equations 5.1 and 5.2).
struct StepsLaw {
    double log_steps_min = 0;  ///< natural logarithms
    double log_critical = 0;
    double squares = 0;            ///< of the residuals of log S
    double critical_variance = 0;  ///< of log Bcrit, for residuals of variance 1
    bool bend_seen = false;        ///< false: the best Bcrit lies far outside the batches

    double steps(double batch) const;
    double steps_min() const;
    double examples_min() const;
    double critical() const;
    static constexpr double overhead = 0.2;  ///< of examples, beyond linear scaling
    /// The batch at which examples are 20% more than linear scaling from `reference` would need (0: from
    /// batches so small that scaling is perfect). With a reference: Zhang et al. 2024.
    double overhead_batch(double reference) const;
};

/// Least squares of log steps: the noise of steps is a share of them. Takes two or more different batches.
StepsLaw fit_steps(std::span<const double> log_batch, std::span<const double> log_steps);

}  // namespace isogrid::analysis
