// The forms in which a task's error may follow the loss.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "analysis/fit/parametric.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// Loss and error of the runs that tell both.
struct ErrorPairs {
    std::vector<double> loss, error;
    std::vector<std::size_t> repeats;  ///< pairs of runs that differ by their seed alone share a number
    double mean = 0;                   ///< of the loss

    explicit ErrorPairs(const std::vector<Run>& runs);
    double lowest() const;  ///< of the error
    double highest() const;
    double lowest_loss() const;
    double highest_loss() const;
};

/// A way in which error may follow loss.
struct ErrorForm {
    std::string_view name, equation;
    std::vector<ReportedParameter> parameters;
    double (*error)(std::span<const double> values, double loss);
    ResidualModel (*model)(const ErrorPairs& pairs);
    std::vector<double> (*report)(const ErrorPairs& pairs, std::span<const double> at);
    std::vector<std::vector<double>> (*starts)(const ErrorPairs& pairs);
};

/// epsilon - k exp(-gamma L) (Gadre et al. 2024, eq. 5), fitted in epsilon, log k at the mean loss, log
/// gamma.
ErrorForm exponential_error();

/// low + (high - low) / (1 + exp(-kappa (L - L0))), fitted in low, log(high - low), log kappa, L0.
ErrorForm sigmoid_error();

/// Parameters of a form with their intervals, or why they are refused.
ParametricFit fit_error_form(const ErrorForm& form, const ErrorPairs& pairs, const FitOptions& options);

/// How far errors lie off the form: the sum of squares. `values` as the form reports them.
double squares_of(const ErrorForm& form, const ErrorPairs& pairs, std::span<const double> values);

}  // namespace isogrid::analysis
