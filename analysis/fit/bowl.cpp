#include "analysis/fit/bowl.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <Eigen/Dense>

namespace isogrid::analysis {
namespace {

using Places = std::vector<std::vector<double>>;

constexpr double near = 4, grow = 1.5, far = farthest_fitted;  ///< factors about the lowest point
constexpr double rounded = 1.05;                               ///< people write .003 and .03 for half decades
constexpr std::size_t fewest_values = 3;                       ///< of a knob: a quadratic has a bend
constexpr double absurd_loss = 1.3;                            ///< times the lowest

std::size_t coefficient_count(std::size_t knobs) {
    return knobs == 1 ? 3 : 6;
}

Eigen::VectorXd terms(std::span<const double> place, std::span<const double> center) {
    const double x = place[0] - center[0];
    if (place.size() == 1) return Eigen::Vector3d(1, x, x * x);
    const double y = place[1] - center[1];
    Eigen::VectorXd row(6);
    row << 1, x, y, x * x, x * y, y * y;
    return row;
}

/// Values of a knob that differ by more than rounding.
std::vector<double> values_of(const Places& places, std::span<const std::size_t> points, std::size_t knob) {
    std::vector<double> values;
    for (const std::size_t i : points)
        values.push_back(places[i][knob]);
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end(), [](double a, double b) { return b - a < 1e-6; }),
                 values.end());
    return values;
}

/// Solves for the quadratic through `bowl.fitted`; refuses what opens downwards.
void solve(Bowl& bowl, const Places& places, std::span<const double> log_loss) {
    const std::size_t knobs = places.front().size();
    const auto count = static_cast<Eigen::Index>(bowl.fitted.size());
    const auto unknowns = static_cast<Eigen::Index>(coefficient_count(knobs));
    bowl.center = places[bowl.lowest];
    Eigen::MatrixXd design(count, unknowns);
    Eigen::VectorXd observed(count);
    for (Eigen::Index i = 0; i < count; ++i) {
        const std::size_t point = bowl.fitted[static_cast<std::size_t>(i)];
        design.row(i) = terms(places[point], bowl.center).transpose();
        observed[i] = log_loss[point];
    }
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> factored(design);
    if (factored.rank() < unknowns) {
        bowl.refused = Refusal::too_few_runs;
        return;
    }
    const Eigen::VectorXd c = factored.solve(observed);
    bowl.coefficients.assign(c.data(), c.data() + unknowns);
    bowl.squares = (design * c - observed).squaredNorm();
    Eigen::MatrixXd curvature(knobs, knobs);
    Eigen::VectorXd slope(knobs);
    if (knobs == 1) {
        curvature << 2 * c[2];
        slope << c[1];
    } else {
        curvature << 2 * c[3], c[4], c[4], 2 * c[5];
        slope << c[1], c[2];
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> bent(curvature);
    if (!(bent.eigenvalues().minCoeff() > 0)) {
        bowl.refused = Refusal::concave;
        return;
    }
    const Eigen::VectorXd v = curvature.ldlt().solve(-slope);
    bowl.minimum = c[0] + 0.5 * slope.dot(v);
    bowl.vertex.clear();
    for (std::size_t k = 0; k < knobs; ++k)
        bowl.vertex.push_back(bowl.center[k] + v[static_cast<Eigen::Index>(k)]);
    // The slope at the vertex is zero, so the vertex moves by -curvature^-1 d(slope)/d(coefficients).
    Eigen::MatrixXd moves = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(knobs), unknowns);
    if (knobs == 1)
        moves << 0, 1, 2 * v[0];
    else
        moves << 0, 1, 0, 2 * v[0], v[1], 0, 0, 0, 1, 0, v[0], 2 * v[1];
    const Eigen::MatrixXd per_coefficient = curvature.ldlt().solve(moves);
    const Eigen::MatrixXd covariance = (design.transpose() * design).inverse();
    const Eigen::MatrixXd variance = per_coefficient * covariance * per_coefficient.transpose();
    bowl.vertex_variance.clear();
    for (std::size_t k = 0; k < knobs; ++k)
        bowl.vertex_variance.push_back(variance(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(k)));
}

void take_near(Bowl& bowl, const Places& places, std::span<const std::size_t> sane) {
    const std::size_t knobs = places.front().size(), wanted = coefficient_count(knobs) + 2;
    // Of a knob that was tried in wide steps one value alone may lie near, however many points have it.
    const auto enough = [&] {
        if (bowl.fitted.size() < wanted) return false;
        for (std::size_t k = 0; k < knobs; ++k)
            if (values_of(places, bowl.fitted, k).size() < fewest_values) return false;
        return true;
    };
    // The last step is cut short, so that the farthest points are those the header names: grids of half
    // decades and of decades have some at a factor of 10.
    for (double reach = near;; reach = std::min(reach * grow, far)) {
        bowl.fitted.clear(), bowl.distant.clear();
        for (const std::size_t i : sane) {
            double farthest = 0;
            for (std::size_t k = 0; k < places[i].size(); ++k)
                farthest = std::max(farthest, std::abs(places[i][k] - places[bowl.lowest][k]));
            if (farthest <= std::log(rounded * reach)) bowl.fitted.push_back(i);
            if (farthest > std::log(rounded * far)) bowl.distant.push_back(i);
        }
        if (enough() || reach >= far) return;
    }
}

}  // namespace

double Bowl::at(std::span<const double> place) const {
    const Eigen::VectorXd row = terms(place, center);
    double sum = 0;
    for (std::size_t j = 0; j < coefficients.size(); ++j)
        sum += coefficients[j] * row[static_cast<Eigen::Index>(j)];
    return sum;
}

double Bowl::freedom() const {
    return static_cast<double>(fitted.size()) - static_cast<double>(coefficients.size());
}

double Bowl::profile(std::size_t knob, double value) const {
    if (center.size() == 1) return at(std::vector{value});
    const std::vector<double>& c = coefficients;
    std::vector<double> place(2);
    place[knob] = value;
    const double moved = value - center[knob];
    const std::size_t other = 1 - knob;
    place[other] = center[other] - (c[1 + other] + c[4] * moved) / (2 * c[other == 0 ? 3 : 5]);
    return at(place);
}

Bowl fit_bowl(const Places& places, std::span<const double> log_loss) {
    Bowl bowl;
    if (places.empty()) {
        bowl.refused = Refusal::too_few_runs;
        return bowl;
    }
    bowl.lowest =
        static_cast<std::size_t>(std::min_element(log_loss.begin(), log_loss.end()) - log_loss.begin());
    std::vector<std::size_t> sane, all;
    for (std::size_t i = 0; i < places.size(); ++i) {
        all.push_back(i);
        (log_loss[i] > log_loss[bowl.lowest] + std::log(absurd_loss) ? bowl.absurd : sane).push_back(i);
    }
    const std::size_t knobs = places.front().size();
    take_near(bowl, places, sane);
    for (std::size_t k = 0; k < knobs; ++k) {
        const std::vector<double> tried =
            values_of(places, all, k);  // that a knob's end diverges bounds it too
        const double here = places[bowl.lowest][k];
        if (tried.size() < fewest_values)
            bowl.refused = Refusal::too_few_runs;
        else if (!bowl.refused && (here - tried.front() < 1e-6 || tried.back() - here < 1e-6))
            bowl.refused = Refusal::edge_minimum;
        if (!bowl.refused && values_of(places, bowl.fitted, k).size() < fewest_values)
            bowl.refused = Refusal::too_few_runs;
    }
    if (bowl.refused) return bowl;
    if (bowl.fitted.size() < coefficient_count(knobs)) {
        bowl.refused = Refusal::too_few_runs;
        return bowl;
    }
    solve(bowl, places, log_loss);
    for (std::size_t k = 0; k < knobs && !bowl.refused; ++k) {
        const std::vector<double> near_values = values_of(places, bowl.fitted, k);
        if (bowl.vertex[k] < near_values.front() || bowl.vertex[k] > near_values.back())
            bowl.refused = Refusal::edge_minimum;
    }
    return bowl;
}

Bowl refit(const Bowl& bowl, const Places& places, std::span<const double> log_loss) {
    Bowl again;
    again.lowest = bowl.lowest;
    again.fitted = bowl.fitted;
    solve(again, places, log_loss);
    return again;
}

}  // namespace isogrid::analysis
