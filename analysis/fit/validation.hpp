// Does a law predict what it has not seen? Fit on the small, predict the large.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "analysis/fit/log_line.hpp"

namespace isogrid::analysis {

/// Predicts observation `i`.
using Predictor = std::function<double(std::size_t i)>;

/// Fits on these observations only; nothing where that cannot be done.
using FitOnSome = std::function<std::optional<Predictor>(std::span<const std::size_t> fitted)>;

/// One cut of an expanding window: fitted on all observations of scale up to `cut`, tried on all above.
struct Cut {
    double cut = 0;             ///< largest scale fitted: FLOPs, parameters, ...
    std::size_t fitted = 0;     ///< observations fitted
    std::size_t predicted = 0;  ///< observations held out
    double decades = 0;         ///< from the cut to the largest scale predicted
    double mean_error = 0;      ///< mean of |predicted / observed - 1|
    double bias = 0;            ///< mean of predicted / observed - 1
    double worst = 0;           ///< largest of |predicted / observed - 1|
};

/// Cuts after each different scale (those equal to 1e-3 count as one) that leaves at least `fewest`
/// observations below and one above and can be fitted.
std::vector<Cut> expanding_window(std::span<const double> scale, std::span<const double> observed,
                                  std::size_t fewest, const FitOnSome& fit);

/// The cuts' mean errors, averaged; NaN without cuts.
double mean_error(const std::vector<Cut>& cuts);

/// Cuts of a power law through points, as fit_log_line makes it; `observed` is what it is to predict of each.
std::vector<Cut> line_validation(std::span<const double> scale, std::span<const double> observed,
                                 const std::vector<LinePoint>& points, Weighting weighting,
                                 std::size_t fewest);

/// The mean error of the last cut with at least a decade to go, else of the first; NaN without cuts. What
/// laws are chosen by.
double held_out_error(const std::vector<Cut>& cuts);

/// The held_out_error of rivals that were cut along one scale, each at the cuts that all of them could be
/// fitted at; a rival without any cut is not tried and costs the others none. NaN where nothing is left.
std::vector<double> held_out_errors(const std::vector<std::vector<Cut>>& rivals);

/// R2: the share of the observations' variance that predictions explain.
double explained(std::span<const double> observed, std::span<const double> predicted);

}  // namespace isogrid::analysis
