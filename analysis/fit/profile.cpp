#include "analysis/fit/profile.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include <Eigen/Dense>

#include "analysis/fit/descent.hpp"

namespace isogrid::analysis {
namespace {

using Eigen::Index;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A reported parameter as a function of the optimizer's coordinates, in logarithms where it is positive by
/// nature: a profile interval is the same in any coordinate, and a logarithm reaches farther.
struct Profiled {
    const ParametricLaw& law;
    std::size_t index;
    bool logarithmic;

    double operator()(std::span<const double> at) const {
        const double value = law.report(at)[index];
        return logarithmic ? std::log(value) : value;
    }
    double back(double value) const { return logarithmic ? std::exp(value) : value; }

    std::vector<double> gradient(std::span<const double> at) const {
        std::vector<double> place(at.begin(), at.end()), slopes;
        for (double& coordinate : place) {
            const double kept = coordinate, step = 1e-6 * std::max(1.0, std::abs(kept));
            coordinate = kept + step;
            const double above = (*this)(place);
            coordinate = kept - step;
            const double below = (*this)(place);
            coordinate = kept;
            slopes.push_back((above - below) / (2 * step));
        }
        return slopes;
    }
};

Profiled profiled(const ParametricLaw& law, std::span<const double> at, std::size_t index) {
    return {law, index, law.parameters[index].low >= 0 && law.report(at)[index] > 0};
}

double weight_of(const ParametricLaw& law, std::size_t i) {
    return law.weights.empty() ? 1.0 : law.weights[i];
}

/// (J^T W J)^-1; nothing where it is singular.
std::optional<Eigen::MatrixXd> inverse_information(const ParametricLaw& law, std::span<const double> at) {
    const auto count = static_cast<Index>(law.model.parameters);
    Eigen::MatrixXd information = Eigen::MatrixXd::Zero(count, count);
    std::vector<double> row(law.model.parameters);
    for (std::size_t i = 0; i < law.model.observations; ++i) {
        law.model.residual(at, i, row);
        const Eigen::Map<const Eigen::VectorXd> slopes(row.data(), count);
        information += weight_of(law, i) * slopes * slopes.transpose();
    }
    const Eigen::FullPivLU<Eigen::MatrixXd> factors(information);
    if (!factors.isInvertible()) return std::nullopt;
    return factors.inverse();
}

double covariance(const Eigen::MatrixXd& inverse, const std::vector<double>& a,
                  const std::vector<double>& b) {
    const Eigen::Map<const Eigen::VectorXd> left(a.data(), inverse.rows()), right(b.data(), inverse.rows());
    return left.dot(inverse * right);
}

/// The law's squares and, as one residual more, a spring that pulls the parameter towards `target`. The
/// minimum of their sum is the lowest sum of squares at whatever value the parameter ends: a point of the
/// profile.
ResidualModel with_spring(const ParametricLaw& law, const Profiled& parameter, double stiffness,
                          double target) {
    const std::size_t count = law.model.observations, parameters = law.model.parameters;
    const auto spring = [parameter, stiffness, target](std::span<const double> at,
                                                       std::span<double> gradient) {
        if (!gradient.empty()) {
            const std::vector<double> slopes = parameter.gradient(at);
            for (std::size_t p = 0; p < slopes.size(); ++p)
                gradient[p] = stiffness * slopes[p];
        }
        return stiffness * (parameter(at) - target);
    };
    ResidualModel model{
        parameters, count + 1,
        [&law, spring, count](std::span<const double> at, std::size_t i, std::span<double> gradient) {
            return i < count ? law.model.residual(at, i, gradient) : spring(at, gradient);
        }};
    if (law.model.all)
        model.all = [&law, spring, count, parameters](std::span<const double> at, std::span<double> residuals,
                                                      std::span<double> gradients) {
            std::vector<double> rows(count * parameters), last(parameters);
            law.model.all(at, residuals.first(count), rows);
            residuals[count] = spring(at, last);
            for (std::size_t p = 0; p < parameters; ++p) {
                std::copy_n(rows.begin() + static_cast<std::ptrdiff_t>(p * count), count,
                            gradients.begin() + static_cast<std::ptrdiff_t>(p * (count + 1)));
                gradients[p * (count + 1) + count] = last[p];
            }
        };
    return model;
}

}  // namespace

double linear_correlation(const ParametricLaw& law, std::span<const double> at, std::size_t a,
                          std::size_t b) {
    const auto inverse = inverse_information(law, at);
    if (!inverse) return nan;
    const auto left = profiled(law, at, a).gradient(at), right = profiled(law, at, b).gradient(at);
    return covariance(*inverse, left, right) /
           std::sqrt(covariance(*inverse, left, left) * covariance(*inverse, right, right));
}

Estimate profile_interval(const ParametricLaw& law, std::span<const double> at, std::size_t index) {
    const Objective squares{ObjectiveKind::l2, 0};
    Estimate estimate;
    const Profiled parameter = profiled(law, at, index);
    const double best = parameter(at);
    estimate.value = parameter.back(best);
    const auto inverse = inverse_information(law, at);
    const std::size_t count = law.model.observations;
    if (!inverse || count <= law.model.parameters) return estimate;
    const double freedom = static_cast<double>(count - law.model.parameters);
    const double lowest = objective_value(law.model, squares, law.weights, at);
    const double sigma = std::sqrt(lowest / freedom);
    const std::vector<double> slopes = parameter.gradient(at);
    const double se = sigma * std::sqrt(covariance(*inverse, slopes, slopes));
    if (!(se > 0) || !std::isfinite(se)) return estimate;
    estimate.se = parameter.logarithmic ? estimate.value * se : se;

    const double reach = student_reach(freedom);
    constexpr double stiffness = 3;  // of the spring, where the data's is 1
    std::vector<double> weights = law.weights;
    if (!weights.empty()) weights.push_back(1);
    const auto end = [&](double side) {
        std::vector<double> place(at.begin(), at.end());
        struct Traced {
            double pull, value, rise;  ///< rise in units of sigma, as a root: straight where all is quadratic
        };
        const auto trace = [&](double pull) -> Traced {
            const ResidualModel model =
                with_spring(law, parameter, stiffness * sigma / se, best + side * pull * se);
            const Minimum minimum = Descent(model, squares, weights)(place);
            const double rise = objective_value(law.model, squares, law.weights, minimum.at) - lowest;
            if (std::isfinite(rise)) place = minimum.at;
            return {pull, parameter(minimum.at), std::sqrt(std::max(rise, 0.0)) / sigma};
        };
        Traced below{0, best, 0}, above = trace(reach * 1.2);
        constexpr double farthest = 300;
        while (above.rise < reach && std::isfinite(above.rise)) {
            if (above.pull > farthest) return side * std::numeric_limits<double>::infinity();
            below = above;
            above = trace(above.pull * 1.5);
        }
        for (int k = 0; k < 40 && above.rise - below.rise > 1e-6 && std::isfinite(above.rise); ++k) {
            const double share = std::clamp((reach - below.rise) / (above.rise - below.rise), 0.05, 0.95);
            const Traced middle = trace(below.pull + share * (above.pull - below.pull));
            if (std::abs(middle.rise - reach) < 1e-4) return middle.value;
            (middle.rise < reach ? below : above) = middle;
        }
        return below.value;
    };
    estimate.low = parameter.back(end(-1));
    estimate.high = parameter.back(end(+1));
    return estimate;
}

}  // namespace isogrid::analysis
