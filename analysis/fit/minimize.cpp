#include "analysis/fit/minimize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <Eigen/Dense>
#include <ceres/gradient_problem.h>
#include <ceres/gradient_problem_solver.h>

namespace isogrid::analysis {
namespace {

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
        std::vector<double> row(gradient ? model_.parameters : 0);
        if (gradient) std::fill_n(gradient, model_.parameters, 0.0);
        double sum = 0;
        for (std::size_t i = 0; i < model_.observations; ++i) {
            const double weight = weight_of(weights_, i);
            if (weight == 0) continue;
            const double residual = model_.residual(point, i, row);
            sum += weight * objective_.penalty(residual);
            if (!gradient) continue;
            const double slope = weight * objective_.slope(residual) / scale_;
            for (std::size_t p = 0; p < model_.parameters; ++p)
                gradient[p] += slope * row[p];
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

/// Moves an almost-optimal l1 point to the vertex beside it: Newton's method on "these residuals are zero"
/// for the observations it nearly passes through. Keeps the point if the vertex is not lower.
void place_on_vertex(const ResidualModel& model, std::span<const double> weights, Minimum& minimum) {
    const std::size_t count = model.parameters;
    std::vector<std::pair<double, std::size_t>> sizes;
    for (std::size_t i = 0; i < model.observations; ++i)
        if (weight_of(weights, i) > 0) sizes.emplace_back(std::abs(model.residual(minimum.at, i, {})), i);
    if (sizes.size() < count) return;
    std::sort(sizes.begin(), sizes.end());

    std::vector<double> at = minimum.at, row(count);
    Eigen::MatrixXd jacobian(count, count);
    Eigen::VectorXd residual(count);
    for (int iteration = 0; iteration < 20; ++iteration) {
        for (std::size_t k = 0; k < count; ++k) {
            residual[static_cast<Eigen::Index>(k)] = model.residual(at, sizes[k].second, row);
            jacobian.row(static_cast<Eigen::Index>(k)) =
                Eigen::Map<Eigen::RowVectorXd>(row.data(), static_cast<Eigen::Index>(count));
        }
        const Eigen::VectorXd step = jacobian.fullPivLu().solve(residual);
        if (!step.allFinite()) return;
        for (std::size_t p = 0; p < count; ++p)
            at[p] -= step[static_cast<Eigen::Index>(p)];
        if (residual.cwiseAbs().maxCoeff() < 1e-15) break;
    }
    const double value = objective_value(model, {ObjectiveKind::l1, 0}, weights, at);
    if (value < minimum.value) minimum.at = at, minimum.value = value;
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

Minimum minimize(const ResidualModel& model, const Objective& objective, std::span<const double> weights,
                 std::vector<double> start) {
    if (objective.kind != ObjectiveKind::l1) return descend(model, objective, weights, std::move(start));

    const double first = objective_value(model, objective, weights, start);
    Minimum minimum{std::move(start), first, false, false};
    for (const double delta : {1e-2, 1e-3, 1e-4, 1e-5, 1e-6}) {
        const Minimum smooth = descend(model, {ObjectiveKind::huber, delta}, weights, minimum.at);
        const double value = objective_value(model, objective, weights, smooth.at);
        if (value < minimum.value || delta > 1e-3) minimum.at = smooth.at, minimum.value = value;
        minimum.converged = smooth.converged;
        place_on_vertex(model, weights, minimum);
    }
    minimum.moved = minimum.value < first;
    return minimum;
}

std::vector<Minimum> minimize_from_many(const ResidualModel& model, const Objective& objective,
                                        std::span<const double> weights,
                                        const std::vector<std::vector<double>>& starts, std::size_t keep) {
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t s = 0; s < starts.size(); ++s) {
        const double value = objective_value(model, objective, weights, starts[s]);
        if (std::isfinite(value)) order.emplace_back(value, s);
    }
    std::sort(order.begin(), order.end());
    if (order.size() > keep) order.resize(keep);
    std::vector<Minimum> minima;
    for (const auto& [value, s] : order)
        minima.push_back(minimize(model, objective, weights, starts[s]));
    std::stable_sort(minima.begin(), minima.end(),
                     [](const Minimum& a, const Minimum& b) { return a.value < b.value; });
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
