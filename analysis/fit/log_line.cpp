#include "analysis/fit/log_line.hpp"

#include <cassert>
#include <cmath>
#include <map>
#include <optional>

#include <Eigen/Dense>
#include <boost/math/distributions/chi_squared.hpp>

namespace isogrid::analysis {
namespace {

using Points = std::span<const LinePoint>;

/// Weighted least squares over the points with a positive weight; nothing where they do not determine it.
std::optional<std::vector<double>> solve(Points points, std::span<const double> y,
                                         std::span<const double> weights) {
    const auto terms = static_cast<Eigen::Index>(points.front().x.size()) + 1;
    const auto count = static_cast<Eigen::Index>(points.size());
    // About the weighted means, so that the columns are as independent as they can be.
    double total = 0;
    Eigen::VectorXd mean = Eigen::VectorXd::Zero(terms);
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (!(weights[i] > 0)) continue;
        total += weights[i];
        for (Eigen::Index j = 1; j < terms; ++j)
            mean[j] += weights[i] * points[i].x[static_cast<std::size_t>(j - 1)];
    }
    if (!(total > 0)) return std::nullopt;
    mean /= total;
    Eigen::MatrixXd design = Eigen::MatrixXd::Zero(count, terms);
    Eigen::VectorXd observed = Eigen::VectorXd::Zero(count);
    for (Eigen::Index i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (!(weights[at] > 0)) continue;
        const double root = std::sqrt(weights[at] / total);
        design(i, 0) = root;
        for (Eigen::Index j = 1; j < terms; ++j)
            design(i, j) = root * (points[at].x[static_cast<std::size_t>(j - 1)] - mean[j]);
        observed[i] = root * y[at];
    }
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> factored(design);
    if (factored.rank() < terms) return std::nullopt;
    Eigen::VectorXd c = factored.solve(observed);
    for (Eigen::Index j = 1; j < terms; ++j)
        c[0] -= c[j] * mean[j];
    return std::vector<double>(c.data(), c.data() + terms);
}

double line_at(std::span<const double> coefficients, std::span<const double> x) {
    double y = coefficients[0];
    for (std::size_t j = 0; j < x.size(); ++j)
        y += coefficients[j + 1] * x[j];
    return y;
}

/// Which points move together.
struct Groups {
    std::vector<std::size_t> of;      ///< each point's, numbered in the order of their first points
    std::vector<std::size_t> points;  ///< how many each has

    /// All `apart`: each point a group of its own.
    Groups(Points all, bool apart) {
        std::map<double, std::size_t> known;
        for (const LinePoint& point : all) {
            std::size_t which = points.size();
            if (!apart && point.group) which = known.try_emplace(*point.group, which).first->second;
            if (which == points.size()) points.push_back(0);
            of.push_back(which);
            ++points[which];
        }
    }
    /// Weights that count the mean of a group's points in the place of each.
    std::vector<double> shared(std::span<const double> weights) const {
        std::vector<double> shares;
        for (std::size_t i = 0; i < weights.size(); ++i)
            shares.push_back(weights[i] / static_cast<double>(points[of[i]]));
        return shares;
    }
    /// The sum over each group's points.
    std::vector<double> sums(std::span<const double> shares) const {
        std::vector<double> sums(points.size(), 0.0);
        for (std::size_t i = 0; i < shares.size(); ++i)
            sums[of[i]] += shares[i];
        return sums;
    }
};

double weighted_squares(const LogLine& line, Points points, std::span<const double> weights) {
    double squares = 0;
    for (std::size_t i = 0; i < points.size(); ++i)
        squares += weights[i] * std::pow(points[i].log_y - line_at(line.coefficients, points[i].x), 2);
    return squares;
}

/// Variance of the groups beyond their points' own (DerSimonian and Laird 1986, equation 8, with the trace of
/// a line replaced by that of a mean: exact for equal weights).
double excess_variance(double chi_square, double freedom, std::span<const double> weights) {
    double sum = 0, squares = 0;
    for (const double w : weights)
        sum += w, squares += w * w;
    return std::max(0.0, (chi_square - freedom) / (sum - squares / sum));
}

/// Each point's weight where it counts by its error and, beyond that, by how far groups scatter; a point that
/// says it has hardly an error does not take the line for itself.
std::vector<double> weights_by_error(Points points, double excess) {
    double mean_variance = 0;
    for (const LinePoint& point : points)
        mean_variance += point.variance / static_cast<double>(points.size());
    std::vector<double> weights;
    for (const LinePoint& point : points)
        weights.push_back(1 / (std::max(point.variance, 1e-4 * mean_variance) + excess));
    return weights;
}

/// The points' log y off the line again: each group by one draw of `deviation` in units of its weights.
std::vector<double> scattered_again(const LogLine& line, Points points, const Groups& groups,
                                    std::span<const double> weights, double deviation, Random random) {
    std::vector<double> moved(groups.points.size()), again;
    for (double& move : moved)
        move = deviation * random.normal();
    for (std::size_t i = 0; i < points.size(); ++i)
        again.push_back(line_at(line.coefficients, points[i].x) +
                        moved[groups.of[i]] / std::sqrt(weights[i]));
    return again;
}

/// The line through the points' log y as they were estimated again, without those that could not be.
std::optional<std::vector<double>> solve_redrawn(Points points, std::vector<double> again,
                                                 std::vector<double> weights) {
    for (std::size_t i = 0; i < points.size(); ++i)
        if (!std::isfinite(again[i])) again[i] = 0, weights[i] = 0;
    return solve(points, again, weights);
}

}  // namespace

double LogLine::at(std::span<const double> x) const {
    return line_at(coefficients, x);
}

Estimate LogLine::estimate(std::span<const double> x) const {
    return estimated(coefficients, replicates, [x](const auto& c) { return std::exp(line_at(c, x)); });
}

Estimate LogLine::coefficient(std::size_t which) const {
    return summarize(coefficients[which], replicates, which);
}

Estimate LogLine::scale() const {
    return estimated(coefficients, replicates, [](const auto& c) { return std::exp(c[0]); });
}

LogLine fit_log_line(Points points, const std::vector<std::vector<double>>& redrawn, Weighting weighting,
                     const FitOptions& options) {
    assert(!points.empty());
    const std::size_t count = points.size(), terms = points.front().x.size() + 1;
    std::vector<double> log_y;
    double mean_variance = 0;
    bool known = true;
    for (const LinePoint& point : points) {
        log_y.push_back(point.log_y);
        mean_variance += point.variance / static_cast<double>(count);
        known = known && point.variance > 0;
    }
    const bool by_error = weighting == Weighting::error && known;
    const std::vector<double> ones(count, 1.0);
    std::vector<double> weights = by_error ? weights_by_error(points, 0) : ones;
    LogLine line;
    const auto solved = solve(points, log_y, weights);
    if (!solved) return line;
    line.coefficients = *solved;
    Groups groups(points, /*apart=*/false);
    line.few_groups = groups.points.size() < count && groups.points.size() <= terms;
    if (line.few_groups) groups = Groups(points, /*apart=*/true);
    const double freedom = static_cast<double>(groups.points.size()) - static_cast<double>(terms);
    if (freedom < 0 || (freedom == 0 && !known)) return line;
    line.scattered = !known;
    if (known && freedom > 0) {
        const double squares = weighted_squares(line, points, groups.shared(weights));
        const double chi_square = by_error ? squares : squares / mean_variance;
        line.scattered = chi_square > boost::math::quantile(
                                          boost::math::complement(boost::math::chi_squared(freedom), 0.1));
        if (line.scattered && by_error) {
            weights = weights_by_error(
                points, excess_variance(chi_square, freedom, groups.sums(groups.shared(weights))));
            line.coefficients = solve(points, log_y, weights).value_or(line.coefficients);
        }
    }
    const auto deviation = [&](std::span<const double> of) {
        return std::sqrt(weighted_squares(line, points, groups.shared(of)) / freedom);
    };
    line.deviation = freedom > 0 ? deviation(ones) : std::nan("");
    const double unit = line.scattered ? deviation(weights) * t_widening(freedom) : 0;
    const std::size_t replicates = line.scattered ? options.bootstrap : redrawn.size();
    for (std::size_t k = 0; k < replicates; ++k)
        if (auto replicate = line.scattered
                                 ? solve(points,
                                         scattered_again(line, points, groups, weights, unit,
                                                         Random(options.seed, options.bootstrap + k)),
                                         weights)
                                 : solve_redrawn(points, redrawn[k], weights))
            line.replicates.push_back(std::move(*replicate));
    return line;
}

}  // namespace isogrid::analysis
