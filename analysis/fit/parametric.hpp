// A law given by its residuals, fitted from many starts, with what its parameters are worth.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/minimize.hpp"
#include "analysis/fit/options.hpp"
#include "analysis/fit/refusal.hpp"

namespace isogrid::analysis {

/// A parameter by the name and in the units that people use. Ending at a bound refuses the law or, for a
/// `soft` one (a floor at 0, say), warns.
struct ReportedParameter {
    std::string name;
    double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
    bool soft = false;
    bool floor = false;  ///< a loss that no run can go below: `high` is the lowest there is

    /// Inside its bounds, not on one.
    bool allows(double value) const { return value > low && value < high; }
};

struct ParametricLaw {
    ResidualModel model;  ///< in the coordinates that suit an optimizer: logarithms, centred
    std::vector<ReportedParameter> parameters;
    /// From the optimizer's coordinates to the reported parameters.
    std::function<std::vector<double>(std::span<const double> at)> report;
    std::vector<std::vector<double>> starts;
    std::size_t minimized_starts = 24;  ///< the lowest of the starts, which are minimized
    /// Observations that differ by their seed alone share a number; empty where the law cannot say.
    std::vector<std::size_t> repeats = {};
    std::vector<double> weights = {};  ///< an observation's share in the objective; empty for one each
    /// Pairs of reported parameters that runs may fail to tell apart: two exponents.
    std::vector<std::pair<std::size_t, std::size_t>> rivals = {};
    bool certify = true;  ///< look for the optimum from starts drawn apart from `starts` too
};

struct ParametricFit {
    std::optional<Reason> refused;
    std::vector<Reason> warnings;
    std::vector<std::string> notes;
    std::vector<Minimum> minima;                  ///< by rising objective; the first is the fit
    std::vector<double> values;                   ///< the reported parameters
    std::vector<std::vector<double>> replicates;  ///< the reported parameters of each
    std::vector<Parameter> parameters;            ///< with errors and intervals
    double widening = 1;                          ///< of intervals, for what is derived from `replicates`
};

/// Fits, resamples as `options` say, and judges: a parameter on its bound, an optimizer that did not move or
/// did not arrive, few starts at the optimum, other optima nearly as good, bad conditioning, parameters
/// without a limit, rivals that go together. The optimum is certified by a start drawn at random from the box
/// of `starts` and minimized by BFGS alone: it must come to the same objective.
ParametricFit fit_parametric(const ParametricLaw& law, const FitOptions& options);

/// A function of the reported parameters with its replicates' spread.
Parameter derived(const ParametricFit& fit, const std::string& name,
                  const std::function<double(std::span<const double> values)>& of);

}  // namespace isogrid::analysis
