#include "analysis/laws/experts_model.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Dense>

namespace isogrid::analysis {
namespace {

constexpr std::size_t linear = RoutedLaw::linear;

/// The runs as the optimizer sees them: log N from its mean.
struct RoutedModel {
    std::vector<double> n, experts, log_loss;
    double mean_n = 0;

    explicit RoutedModel(const std::vector<RoutedRun>& runs) {
        for (const RoutedRun& run : runs) {
            n.push_back(std::log(run.parameters));
            experts.push_back(run.experts);
            log_loss.push_back(std::log(run.loss));
            mean_n += n.back() / static_cast<double>(runs.size());
        }
        for (double& value : n)
            value -= mean_n;
    }

    /// log E^ and its derivatives by the logarithms of E^ at one expert and of how many times that E^ may
    /// grow to, as the optimizer moves them.
    struct Saturation {
        double log_experts = 0, by_start = 0, by_growth = 0;
    };
    static Saturation saturation(double log_start, double log_growth, double experts) {
        const double start = std::exp(log_start), growth = std::exp(log_growth), most = start * (1 + growth);
        const double shift = start * (1 + 1 / growth), shifted = experts - 1 + shift;
        const double inverse = 1 / shifted + 1 / most, squared = shifted * shifted;
        const double by_start = -shift / squared - 1 / most;
        const double by_growth = start / growth / squared - growth / (1 + growth) / most;
        return {-std::log(inverse), -by_start / inverse, -by_growth / inverse};
    }

    double residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const {
        const bool saturates = at.size() > linear;
        const Saturation s =
            saturates ? saturation(at[4], at[5], experts[i]) : Saturation{std::log(experts[i]), 0, 0};
        const double e = s.log_experts;
        if (!gradient.empty()) {
            gradient[0] = n[i], gradient[1] = e, gradient[2] = n[i] * e, gradient[3] = 1;
            if (saturates) {
                const double slope = at[1] + at[2] * n[i];
                gradient[4] = slope * s.by_start, gradient[5] = slope * s.by_growth;
            }
        }
        return at[0] * n[i] + at[1] * e + at[2] * n[i] * e + at[3] - log_loss[i];
    }

    ResidualModel residuals(bool saturates) const {
        return {saturates ? linear + 2 : linear, log_loss.size(),
                [this](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                    return residual(at, i, gradient);
                }};
    }

    /// In the coordinates of the law: N itself, not from its mean.
    std::vector<double> report(std::span<const double> at) const {
        std::vector<double> values = {at[0], at[1] - at[2] * mean_n, at[2], at[3] - at[0] * mean_n};
        if (at.size() > linear) {
            values.push_back(std::exp(at[4]));
            values.push_back(std::exp(at[4]) * (1 + std::exp(at[5])));
        }
        return values;
    }

    /// The best linear coefficients for a given saturation.
    std::vector<double> start(std::vector<double> saturation_at) const {
        const auto count = static_cast<Eigen::Index>(n.size());
        Eigen::MatrixXd design(count, static_cast<Eigen::Index>(linear));
        Eigen::VectorXd observed(count);
        for (Eigen::Index i = 0; i < count; ++i) {
            const auto k = static_cast<std::size_t>(i);
            const double e = saturation_at.empty()
                                 ? std::log(experts[k])
                                 : saturation(saturation_at[0], saturation_at[1], experts[k]).log_experts;
            design.row(i) << n[k], e, n[k] * e, 1;
            observed[i] = log_loss[k];
        }
        const Eigen::VectorXd solved = design.colPivHouseholderQr().solve(observed);
        std::vector<double> at(solved.data(), solved.data() + solved.size());
        at.insert(at.end(), saturation_at.begin(), saturation_at.end());
        return at;
    }

    std::vector<std::vector<double>> starts(bool saturates) const {
        if (!saturates) {
            std::vector<double> exact = start({}), off = exact;
            off[0] *= 0.5, off[3] += 0.1;
            return {exact, off, {-0.05, -0.05, 0, off[3]}};
        }
        std::vector<std::vector<double>> grid;
        for (const double first : {0.5, 1.0, 2.0, 4.0})
            for (const double growth : {5., 20., 100., 500., 5000.})
                grid.push_back(start({std::log(first), std::log(growth)}));
        return grid;
    }
};

}  // namespace

RoutedLaw RoutedLaw::of(std::span<const double> values) {
    RoutedLaw law{values[0], values[1], values[2], values[3]};
    if (values.size() > linear) law.saturates = true, law.start = values[4], law.most = values[5];
    return law;
}

double RoutedLaw::log_experts(double experts) const {
    if (!saturates) return std::log(experts);
    const double shifted = experts - 1 + 1 / (1 / start - 1 / most);
    return -std::log(1 / shifted + 1 / most);
}

double RoutedLaw::log_loss(double parameters, double experts) const {
    const double n = std::log(parameters), e = log_experts(experts);
    return a * n + b * e + c * n * e + d;
}

double RoutedLaw::effective(double parameters, double experts) const {
    const double dense = log_experts(1), e = log_experts(experts);
    return std::exp(((a + c * e) * std::log(parameters) + b * (e - dense)) / (a + c * dense));
}

double RoutedLaw::cutoff() const {
    return std::exp(-b / c);
}

ParametricFit fit_routed(const std::vector<RoutedRun>& runs, bool saturates, const FitOptions& options) {
    const RoutedModel model(runs);
    std::vector<ReportedParameter> parameters = {{"a", -2, 0}, {"b"}, {"c"}, {"d"}};
    if (saturates) {
        const double many = *std::max_element(model.experts.begin(), model.experts.end());
        parameters.push_back({"experts_start", 1e-3, 1e3});
        parameters.push_back({"experts_max", 1, 100 * many, /*soft=*/true});
    }
    std::vector<std::size_t> repeats;
    for (const RoutedRun& run : runs)
        repeats.push_back(run.repeats);
    return fit_parametric({.model = model.residuals(saturates),
                           .parameters = parameters,
                           .report = [&](std::span<const double> at) { return model.report(at); },
                           .starts = model.starts(saturates),
                           .repeats = repeats},
                          options);
}

}  // namespace isogrid::analysis
