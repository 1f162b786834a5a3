// The law of sparse models (Clark et al. 2022) and how it is fitted.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "analysis/fit/parametric.hpp"

namespace isogrid::analysis {

/// log L = a log N + b log E^ + c log N log E^ + d with 1 / E^ = 1 / (E - 1 + 1 / (1 / start - 1 / most)) +
/// 1 / most. Without saturation E^ = E.
struct RoutedLaw {
    static constexpr std::size_t linear = 4;  ///< coefficients that log loss is linear in

    double a = 0, b = 0, c = 0, d = 0;
    bool saturates = false;
    double start = 1, most = std::numeric_limits<double>::infinity();  ///< E^ of one expert, and of many

    /// From the parameters of fit_routed.
    static RoutedLaw of(std::span<const double> values);
    double log_experts(double experts) const;
    double log_loss(double parameters, double experts) const;
    /// The size of the dense model (one expert) of the same loss.
    double effective(double parameters, double experts) const;
    /// The size beyond which more experts no longer lower the loss.
    double cutoff() const;
};

/// A run as the law sees it.
struct RoutedRun {
    std::string name;
    double parameters = 0;  ///< that each token passes through
    double experts = 0, loss = 0;
    std::size_t repeats = 0;  ///< runs that differ by their seed alone share a number
};

/// Fits a, b, c and d to log losses, and with saturation experts_start and experts_max, the E^ of one expert
/// and of many.
ParametricFit fit_routed(const std::vector<RoutedRun>& runs, bool saturates, const FitOptions& options);

}  // namespace isogrid::analysis
