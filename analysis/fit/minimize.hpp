// Minimizing a sum of penalties on residuals from many starts, and whether the answer deserves trust.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "analysis/fit/objective.hpp"

namespace isogrid::analysis {

/// The residuals of a law: `residual(at, i, gradient)` is prediction minus observation i of the log loss at
/// the parameters `at`; it fills `gradient` (one value a parameter) unless that is empty. Thread-safe.
struct ResidualModel {
    std::size_t parameters = 0;
    std::size_t observations = 0;
    std::function<double(std::span<const double> at, std::size_t i, std::span<double> gradient)> residual;
    /// The same of all observations at once, for speed; may be empty. `gradients` holds all observations'
    /// derivatives by the first parameter, then those by the second, and so on.
    std::function<void(std::span<const double> at, std::span<double> residuals, std::span<double> gradients)>
        all = {};
};

struct Minimum {
    std::vector<double> at;
    double value = 0;  ///< the objective: a weighted sum, never a mean (a mean stops optimizers early)
    /// Restarting from here with a fresh curvature estimate finds nothing lower, and no step promises to.
    bool converged = false;
    bool moved = false;  ///< lower than where it started
};

/// Sum over observations of weight times penalty. An empty `weights` means one each.
double objective_value(const ResidualModel& model, const Objective& objective,
                       std::span<const double> weights, std::span<const double> at);

/// The local minimum reached from `start`: by Descent (descent.hpp), then polished by Ceres' BFGS with a
/// Wolfe line search, begun afresh until that no longer helps. l1 is reached as the limit of Huber objectives
/// of shrinking delta and then placed exactly on a vertex (vertex.hpp).
Minimum minimize(const ResidualModel& model, const Objective& objective, std::span<const double> weights,
                 std::vector<double> start);

/// The same without Descent, from `start` on: another method's opinion.
Minimum minimize_by_bfgs(const ResidualModel& model, const Objective& objective,
                         std::span<const double> weights, std::vector<double> start);

/// The objective is taken at every start; from the `keep` lowest Descent goes down, on all cores, and what
/// lies within 1e-3 of the lowest end (at most three different ones) is polished. Returned by rising value.
std::vector<Minimum> minimize_from_many(const ResidualModel& model, const Objective& objective,
                                        std::span<const double> weights,
                                        const std::vector<std::vector<double>>& starts, std::size_t keep);

/// Condition number of the Jacobian at `at`, its columns scaled to unit length; infinite when a column is
/// zero.
double condition_number(const ResidualModel& model, std::span<const double> at);

}  // namespace isogrid::analysis
