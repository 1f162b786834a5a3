#include "analysis/fit/minimize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>

#include <Eigen/Dense>
#include <ceres/gradient_problem.h>
#include <ceres/gradient_problem_solver.h>
#include <glog/logging.h>

#include "analysis/fit/descent.hpp"
#include "analysis/fit/parallel.hpp"
#include "analysis/fit/vertex.hpp"

namespace isogrid::analysis {
namespace {

/// Ceres warns on standard error of every line search that fails; here that only ends a descent, which is
/// judged by what it found.
void quiet_ceres() {
    static std::once_flag once;
    std::call_once(once, [] { FLAGS_minloglevel = google::GLOG_ERROR; });
}

double weight_of(std::span<const double> weights, std::size_t i) {
    return weights.empty() ? 1.0 : weights[i];
}

/// The objective as Ceres asks for it, divided by `scale` so that its absolute tolerances mean something.
class ScaledObjective final : public ceres::FirstOrderFunction {
  public:
    ScaledObjective(const ResidualModel& model, const Objective& objective, std::span<const double> weights,
                    double scale)
        : model_(model), objective_(objective), weights_(weights), scale_(scale) {}

    int NumParameters() const override { return static_cast<int>(model_.parameters); }

    bool Evaluate(const double* const at, double* cost, double* gradient) const override {
        const std::span<const double> point(at, model_.parameters);
        const std::size_t count = model_.observations;
        std::vector<double> row(model_.parameters), residuals, rows;
        if (model_.all) {
            residuals.resize(count), rows.resize(count * model_.parameters);
            model_.all(point, residuals, rows);
        }
        if (gradient) std::fill_n(gradient, model_.parameters, 0.0);
        if (!std::all_of(point.begin(), point.end(), [](double value) { return std::isfinite(value); }))
            return false;
        double sum = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double weight = weight_of(weights_, i);
            if (weight == 0) continue;
            const double residual =
                model_.all
                    ? residuals[i]
                    : model_.residual(point, i, gradient ? std::span<double>(row) : std::span<double>());
            sum += weight * objective_.penalty(residual);
            if (!gradient) continue;
            const double slope = weight * objective_.slope(residual) / scale_;
            for (std::size_t p = 0; p < model_.parameters; ++p)
                gradient[p] += slope * (model_.all ? rows[p * count + i] : row[p]);
        }
        *cost = sum / scale_;
        return std::isfinite(sum);
    }

  private:
    const ResidualModel& model_;
    const Objective& objective_;
    std::span<const double> weights_;
    double scale_;
};

/// BFGS, begun afresh from where it stopped until that no longer helps: a stale curvature estimate is how a
/// quasi-Newton method stops short.
Minimum descend(const ResidualModel& model, const Objective& objective, std::span<const double> weights,
                std::vector<double> start) {
    const double first = objective_value(model, objective, weights, start);
    Minimum best{std::move(start), first, false, false};
    if (!std::isfinite(first)) return best;
    if (first == 0) return {best.at, 0, true, false};
    quiet_ceres();

    ceres::GradientProblemSolver::Options options;
    options.line_search_direction_type = ceres::BFGS;
    options.line_search_type = ceres::WOLFE;
    options.max_num_iterations = 400;
    options.function_tolerance = 1e-14;
    options.gradient_tolerance = 1e-12;
    options.parameter_tolerance = 1e-14;
    options.logging_type = ceres::SILENT;
    constexpr int restarts = 12;
    for (int restart = 0; restart < restarts && !best.converged; ++restart) {
        const ceres::GradientProblem problem(
            new ScaledObjective(model, objective, weights, best.value));  // the problem owns it
        std::vector<double> at = best.at;
        ceres::GradientProblemSolver::Summary summary;
        ceres::Solve(options, problem, at.data(), &summary);
        const double value = objective_value(model, objective, weights, at);
        best.converged = !(value < best.value * (1 - 1e-10));
        if (value < best.value) best.at = at, best.value = value;
        if (best.value == 0) best.converged = true;
    }
    best.moved = best.value < first;
    return best;
}

}  // namespace

double objective_value(const ResidualModel& model, const Objective& objective,
                       std::span<const double> weights, std::span<const double> at) {
    double sum = 0;
    for (std::size_t i = 0; i < model.observations; ++i) {
        const double weight = weight_of(weights, i);
        if (weight != 0) sum += weight * objective.penalty(model.residual(at, i, {}));
    }
    return sum;
}

Minimum minimize_by_bfgs(const ResidualModel& model, const Objective& objective,
                         std::span<const double> weights, std::vector<double> start) {
    if (objective.kind != ObjectiveKind::l1) {
        Minimum minimum = descend(model, objective, weights, std::move(start));
        // Where the optimizer cannot go on but a step still promises much, there is no minimum: the objective
        // falls without end, or to the edge of where it can be evaluated.
        constexpr double much = 1e-6;
        const double rounding = static_cast<double>(model.observations) * objective.penalty(1e-8);
        if (minimum.converged &&
            Descent(model, objective, weights).promise(minimum.at) > much * minimum.value + rounding)
            minimum.converged = false;
        return minimum;
    }

    const double first = objective_value(model, objective, weights, start);
    Minimum minimum{std::move(start), first, false, false};
    for (const double delta : {1e-2, 1e-3, 1e-4, 1e-5, 1e-6}) {
        const Minimum smooth = descend(model, {ObjectiveKind::huber, delta}, weights, minimum.at);
        const double value = objective_value(model, objective, weights, smooth.at);
        if (value < minimum.value || delta > 1e-3) minimum.at = smooth.at, minimum.value = value;
        minimum.converged = smooth.converged;
        place_on_vertex(model, weights, minimum.at, minimum.value);
    }
    minimum.moved = minimum.value < first;
    return minimum;
}

Minimum minimize(const ResidualModel& model, const Objective& objective, std::span<const double> weights,
                 std::vector<double> start) {
    const Minimum rough = Descent(model, objective, weights)(start);
    Minimum minimum = minimize_by_bfgs(model, objective, weights, rough.at);
    if (!(minimum.value <= rough.value)) minimum.at = rough.at, minimum.value = rough.value;
    minimum.moved = minimum.moved || rough.moved;
    return minimum;
}

std::vector<Minimum> minimize_from_many(const ResidualModel& model, const Objective& objective,
                                        std::span<const double> weights,
                                        const std::vector<std::vector<double>>& starts, std::size_t keep) {
    std::vector<std::size_t> order(starts.size());
    std::iota(order.begin(), order.end(), 0);
    if (keep < starts.size()) {
        std::vector<double> values(starts.size());
        for (std::size_t s = 0; s < starts.size(); ++s) {
            values[s] = objective_value(model, objective, weights, starts[s]);
            if (!std::isfinite(values[s])) values[s] = std::numeric_limits<double>::infinity();
        }
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
        order.resize(keep);
    }
    std::vector<Minimum> minima(order.size());
    parallel_for(order.size(), [&]() -> Task {
        const auto descent = std::make_shared<Descent>(model, objective, weights);
        return [&, descent](std::size_t k) { minima[k] = (*descent)(starts[order[k]]); };
    });
    std::erase_if(minima, [](const Minimum& minimum) { return !std::isfinite(minimum.value); });
    const auto sort = [&] {
        std::stable_sort(minima.begin(), minima.end(),
                         [](const Minimum& a, const Minimum& b) { return a.value < b.value; });
    };
    sort();
    constexpr std::size_t most_polished = 3;
    double last = -1;
    std::size_t polished = 0;
    for (Minimum& minimum : minima) {
        if (polished == most_polished || minimum.value > minima.front().value * (1 + 1e-3)) break;
        if (minimum.value <= last * (1 + 1e-6)) continue;
        last = minimum.value;
        const bool moved = minimum.moved;
        minimum = minimize(model, objective, weights, minimum.at);
        minimum.moved = minimum.moved || moved;
        ++polished;
    }
    sort();
    return minima;
}

double condition_number(const ResidualModel& model, std::span<const double> at) {
    Eigen::MatrixXd jacobian(model.observations, model.parameters);
    std::vector<double> row(model.parameters);
    for (std::size_t i = 0; i < model.observations; ++i) {
        model.residual(at, i, row);
        for (std::size_t p = 0; p < model.parameters; ++p)
            jacobian(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(p)) = row[p];
    }
    for (Eigen::Index p = 0; p < jacobian.cols(); ++p) {
        const double length = jacobian.col(p).norm();
        if (!(length > 0)) return std::numeric_limits<double>::infinity();
        jacobian.col(p) /= length;
    }
    const auto singular = Eigen::JacobiSVD<Eigen::MatrixXd>(jacobian).singularValues();
    const double smallest = singular[singular.size() - 1];
    return smallest > 0 ? singular[0] / smallest : std::numeric_limits<double>::infinity();
}

}  // namespace isogrid::analysis
