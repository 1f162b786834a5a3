#include "analysis/fit/descent.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/Dense>

#include "analysis/fit/vertex.hpp"

namespace isogrid::analysis {
namespace {

using Eigen::ArrayXd;
using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr int most_steps = 200;
constexpr double arrived = 1e-13;  ///< a step that promises less, relative to the objective, is not taken

/// All residuals at a point, and their derivatives: a column a parameter.
struct Point {
    VectorXd at;
    ArrayXd residual;
    MatrixXd jacobian;
    double value = 0;
};

}  // namespace

struct Descent::State {
    const ResidualModel& model;
    Objective objective;
    ArrayXd weight;
    Point here, there;
    ArrayXd size, side, slope, curvature;  ///< of each residual
    MatrixXd weighted, hessian, damped;
    VectorXd gradient, step;
    Eigen::LDLT<MatrixXd> factors;
    std::vector<double> row;

    State(const ResidualModel& m, const Objective& o, std::span<const double> weights)
        : model(m), objective(o), row(m.parameters) {
        const auto n = static_cast<Index>(m.observations), p = static_cast<Index>(m.parameters);
        weight = ArrayXd::Ones(n);
        for (Index i = 0; i < n && !weights.empty(); ++i)
            weight[i] = weights[static_cast<std::size_t>(i)];
        for (Point* point : {&here, &there}) {
            point->at.resize(p);
            point->residual.resize(n);
            point->jacobian.resize(n, p);
        }
        weighted.resize(n, p);
        hessian.resize(p, p);
    }

    std::span<const double> place(const Point& point) const { return {point.at.data(), model.parameters}; }

    void evaluate(Point& point, const Objective& by) {
        if (!point.at.allFinite()) {
            point.value = std::numeric_limits<double>::infinity();
            return;
        }
        if (model.all) {
            model.all(place(point), {point.residual.data(), model.observations},
                      {point.jacobian.data(), model.observations * model.parameters});
        } else {
            for (std::size_t i = 0; i < model.observations; ++i) {
                const auto k = static_cast<Index>(i);
                if (weight[k] == 0) {  // as the batch does, but such residuals may be costly
                    point.residual[k] = 0;
                    point.jacobian.row(k).setZero();
                    continue;
                }
                point.residual[k] = model.residual(place(point), i, row);
                point.jacobian.row(k) = Eigen::Map<const Eigen::RowVectorXd>(row.data(), hessian.cols());
            }
        }
        point.value = value_of(point.residual, by);
    }

    /// Objective::penalty summed, without its branches.
    double value_of(const ArrayXd& residual, const Objective& by) {
        if (by.kind == ObjectiveKind::l2) return (weight * residual.square()).sum();
        size = residual.abs();
        if (by.kind == ObjectiveKind::l1) return (weight * size).sum();
        slope = size.min(by.delta);
        slope *= size - 0.5 * slope;
        if (by.kind == ObjectiveKind::asymmetric) {
            side = (residual > 0)
                       .select(ArrayXd::Constant(residual.size(), 2 * (1 - by.quantile)), 2 * by.quantile);
            slope *= side;
        }
        return (weight * slope).sum();
    }

    /// Gradient and modelled Hessian; `share` of the reweighted curvature beyond delta.
    void differentiate(const Objective& by, double share) {
        if (by.kind == ObjectiveKind::l2) {
            slope = 2 * weight * here.residual;
            curvature = 2 * weight;
        } else {
            size = here.residual.abs();
            slope = weight * here.residual.max(-by.delta).min(by.delta);
            curvature =
                weight * (size <= by.delta).select(ArrayXd::Ones(size.size()), share * by.delta / size);
            if (by.kind == ObjectiveKind::asymmetric) {
                side = (here.residual > 0)
                           .select(ArrayXd::Constant(size.size(), 2 * (1 - by.quantile)), 2 * by.quantile);
                slope *= side;
                curvature *= side;
            }
        }
        gradient.noalias() = here.jacobian.transpose() * slope.matrix();
        weighted = here.jacobian.array().colwise() * curvature;
        for (Index a = 0; a < hessian.rows(); ++a)
            for (Index b = 0; b <= a; ++b)
                hessian(a, b) = weighted.col(a).dot(here.jacobian.col(b));
    }

    /// From `here` down under a smooth objective; true when it arrived.
    bool descend(const Objective& by) {
        evaluate(here, by);
        if (!std::isfinite(here.value)) return false;
        double damping = 1e-3, growth = 2, share = 1;
        for (int k = 0; k < most_steps; ++k) {
            if (here.value == 0) return true;
            differentiate(by, share);
            for (;;) {  // until a step is taken
                damped = hessian;
                for (Index p = 0; p < hessian.rows(); ++p)
                    damped(p, p) += damping * hessian(p, p) + std::numeric_limits<double>::min();
                factors.compute(damped);
                step = factors.solve(-gradient);
                const double expected =
                    -gradient.dot(step) - 0.5 * step.dot(hessian.selfadjointView<Eigen::Lower>() * step);
                if (!step.allFinite() || !(expected > arrived * here.value))
                    return step.allFinite() && damping < 1;
                there.at = here.at + step;
                evaluate(there, by);
                const double gain = (here.value - there.value) / expected;
                if (gain > 1e-4) {
                    std::swap(here, there);
                    damping = std::max(
                        damping * std::max(1.0 / 5, 1 - std::pow(2 * std::min(gain, 1.0) - 1, 3)), 1e-12);
                    growth = 2;
                    share = gain > 0.25 ? std::max(share / 4, 1e-4) : std::min(1.0, share * 2);
                    break;
                }
                damping *= growth, growth *= 2;
                if (damping > 1e16) return false;
                if (share < 1) {
                    share = std::min(1.0, share * 16);
                    differentiate(by, share);
                }
            }
        }
        return false;
    }

    /// Huber objectives of shrinking delta, in units of the residuals' own median.
    bool descend_l1() {
        bool good = false;
        evaluate(here, {ObjectiveKind::l1, 0});
        Point best = here;
        for (const double fraction : {1.0, 0.1, 0.01, 1e-3}) {
            std::vector<double> sizes;
            for (Index i = 0; i < weight.size(); ++i)
                if (weight[i] > 0) sizes.push_back(std::abs(here.residual[i]));
            if (sizes.empty()) return false;
            const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
            std::nth_element(sizes.begin(), middle, sizes.end());
            if (!(*middle > 0) || !std::isfinite(*middle)) break;
            good = descend({ObjectiveKind::huber, fraction * *middle});
            here.value = value_of(here.residual, {ObjectiveKind::l1, 0});
            if (here.value < best.value || fraction == 1) best = here;
        }
        here = best;
        std::vector<double> at(here.at.begin(), here.at.end());
        if (place_on_vertex(model, {weight.data(), model.observations}, at, here.value))
            std::copy(at.begin(), at.end(), here.at.begin());
        return good;
    }
};

Descent::Descent(const ResidualModel& model, const Objective& objective, std::span<const double> weights)
    : state_(std::make_unique<State>(model, objective, weights)) {}
Descent::~Descent() = default;
Descent::Descent(Descent&&) noexcept = default;
Descent& Descent::operator=(Descent&&) noexcept = default;

Minimum Descent::operator()(std::span<const double> start) {
    State& state = *state_;
    std::copy(start.begin(), start.end(), state.here.at.begin());
    state.evaluate(state.here, state.objective);
    const double first = state.here.value;
    if (!std::isfinite(first)) return {{start.begin(), start.end()}, first, false, false};
    Minimum minimum;
    minimum.converged =
        state.objective.kind == ObjectiveKind::l1 ? state.descend_l1() : state.descend(state.objective);
    minimum.at.assign(state.here.at.begin(), state.here.at.end());
    minimum.value = state.here.value;
    minimum.moved = minimum.value < first;
    if (!minimum.moved) minimum.at.assign(start.begin(), start.end()), minimum.value = first;
    return minimum;
}

double Descent::promise(std::span<const double> at) {
    State& state = *state_;
    std::copy(at.begin(), at.end(), state.here.at.begin());
    state.evaluate(state.here, state.objective);
    state.differentiate(state.objective, 1);
    for (Index p = 0; p < state.hessian.rows(); ++p)
        state.hessian(p, p) *= 1 + 1e-12;
    state.step = state.factors.compute(state.hessian).solve(-state.gradient);
    double share = 1;  // of the step, so that no coordinate goes farther than the gradient can be trusted
    for (Index p = 0; p < state.step.size(); ++p)
        share =
            std::min(share, 1e-2 * (1 + std::abs(at[static_cast<std::size_t>(p)])) / std::abs(state.step[p]));
    return -share * state.gradient.dot(state.step);
}

}  // namespace isogrid::analysis
