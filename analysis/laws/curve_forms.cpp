#include "analysis/laws/curve_forms.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace isogrid::analysis {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double steepest = 3, flattest = 0.005;

/// log(exp(e) + exp(t)) and the share of the second term in the sum.
struct TwoTerms {
    double log_sum = 0, share = 0;
    TwoTerms(double e, double t) {
        const double top = std::max(e, t);
        const double sum = std::exp(e - top) + std::exp(t - top);
        log_sum = top + std::log(sum);
        share = std::exp(t - top) / sum;
    }
};

/// The floor as shares of the lowest loss, and the term above it in the middle.
std::vector<std::array<double, 2>> floors(std::span<const double> loss) {
    const double lowest = *std::min_element(loss.begin(), loss.end()),
                 middle = median({loss.begin(), loss.end()});
    std::vector<std::array<double, 2>> pairs;
    for (const double share : {0.01, 0.3, 0.6, 0.8, 0.9, 0.97})
        pairs.push_back(
            {std::log(share * lowest), std::log(std::max(middle - share * lowest, 0.01 * lowest))});
    return pairs;
}

CurveForm power_with_floor() {
    return {"power law with floor",
            "E + A x^-alpha",
            {{"E", 0, infinity, true}, {"A"}, {"alpha", flattest, steepest}},
            [](std::span<const double> at, double z, std::span<double> gradient) {
                const TwoTerms sum(at[0], at[1] - at[2] * z);
                if (!gradient.empty()) {
                    gradient[0] = 1 - sum.share;
                    gradient[1] = sum.share;
                    gradient[2] = -z * sum.share;
                }
                return sum.log_sum;
            },
            [](std::span<const double> at, double log_middle) {
                return std::vector{std::exp(at[0]), std::exp(at[1] + at[2] * log_middle), at[2]};
            },
            [](std::span<const double> p, double x) { return p[0] + p[1] * std::pow(x, -p[2]); },
            [](std::span<const double>, std::span<const double> loss) {
                std::vector<std::vector<double>> starts;
                for (const auto& [e, a] : floors(loss))
                    for (const double alpha : {0.05, 0.15, 0.3, 0.6, 1.2})
                        starts.push_back({e, a, alpha});
                return starts;
            }};
}

CurveForm power() {
    return {"pure power law",
            "A x^-alpha",
            {{"A"}, {"alpha", flattest, steepest}},
            [](std::span<const double> at, double z, std::span<double> gradient) {
                if (!gradient.empty()) gradient[0] = 1, gradient[1] = -z;
                return at[0] - at[1] * z;
            },
            [](std::span<const double> at, double log_middle) {
                return std::vector{std::exp(at[0] + at[1] * log_middle), at[1]};
            },
            [](std::span<const double> p, double x) { return p[0] * std::pow(x, -p[1]); },
            [](std::span<const double>, std::span<const double> loss) {
                const double a = std::log(median({loss.begin(), loss.end()}));
                return std::vector<std::vector<double>>{{a, 0.05}, {a, 0.2}, {a, 0.8}};
            }};
}

CurveForm exponential() {
    return {"exponential with floor",
            "E + A exp(-x / k)",
            {{"E", 0, infinity, true}, {"A"}, {"k", 0, infinity}},
            [](std::span<const double> at, double z, std::span<double> gradient) {
                const double reached = std::exp(std::min(z - at[2], 50.0));
                const TwoTerms sum(at[0], at[1] - reached);
                if (!gradient.empty()) {
                    gradient[0] = 1 - sum.share;
                    gradient[1] = sum.share;
                    gradient[2] = sum.share * reached;
                }
                return sum.log_sum;
            },
            [](std::span<const double> at, double log_middle) {
                return std::vector{std::exp(at[0]), std::exp(at[1]), std::exp(at[2] + log_middle)};
            },
            [](std::span<const double> p, double x) { return p[0] + p[1] * std::exp(-x / p[2]); },
            [](std::span<const double> z, std::span<const double> loss) {
                const auto [least, most] = std::minmax_element(z.begin(), z.end());
                std::vector<std::vector<double>> starts;
                for (const auto& [e, a] : floors(loss))
                    for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0})
                        starts.push_back({e, a, *least + share * (*most - *least)});
                return starts;
            }};
}

CurveForm shifted_power() {
    return {"shifted power law with floor",
            "E + A (x + x0)^-alpha",
            {{"E", 0, infinity, true}, {"A"}, {"alpha", flattest, steepest}, {"x0", 0, infinity, true}},
            [](std::span<const double> at, double z, std::span<double> gradient) {
                const TwoTerms moved(z, at[3]);
                const TwoTerms sum(at[0], at[1] - at[2] * moved.log_sum);
                if (!gradient.empty()) {
                    gradient[0] = 1 - sum.share;
                    gradient[1] = sum.share;
                    gradient[2] = -moved.log_sum * sum.share;
                    gradient[3] = -at[2] * moved.share * sum.share;
                }
                return sum.log_sum;
            },
            [](std::span<const double> at, double log_middle) {
                return std::vector{std::exp(at[0]), std::exp(at[1] + at[2] * log_middle), at[2],
                                   std::exp(at[3] + log_middle)};
            },
            [](std::span<const double> p, double x) { return p[0] + p[1] * std::pow(x + p[3], -p[2]); },
            [](std::span<const double> z, std::span<const double> loss) {
                const double least = *std::min_element(z.begin(), z.end());
                std::vector<std::vector<double>> starts;
                for (const auto& [e, a] : floors(loss))
                    for (const double alpha : {0.1, 0.3, 0.8})
                        for (const double shift : {-3.0, 0.0, 2.0})
                            starts.push_back({e, a, alpha, least + shift});
                return starts;
            }};
}

CurveForm logarithmic() {
    return {"logarithmic",
            "a - b log x",
            {{"a"}, {"b", 0, infinity}},
            [](std::span<const double> at, double z, std::span<double> gradient) {
                constexpr double least = 1e-3;  // below it the logarithm goes on as a straight line
                const double loss = at[0] - at[1] * z;
                const double slope = 1 / std::max(loss, least);
                if (!gradient.empty()) gradient[0] = slope, gradient[1] = -z * slope;
                return loss > least ? std::log(loss) : std::log(least) + loss / least - 1;
            },
            [](std::span<const double> at, double log_middle) {
                return std::vector{at[0] + at[1] * log_middle, at[1]};
            },
            [](std::span<const double> p, double x) { return p[0] - p[1] * std::log(x); },
            [](std::span<const double>, std::span<const double> loss) {
                const double middle = median({loss.begin(), loss.end()});
                return std::vector<std::vector<double>>{{middle, 0.02 * middle}, {middle, 0.1 * middle}};
            }};
}

double middle_log(std::span<const CurvePoint> points) {
    double mean = 0;
    for (const CurvePoint& point : points)
        mean += std::log(point.x) / static_cast<double>(points.size());
    return mean;
}

}  // namespace

std::span<const CurveForm> curve_forms() {
    static const std::array forms = {power_with_floor(), power(), exponential(), shifted_power(),
                                     logarithmic()};
    return forms;
}

ParametricLaw law_of(const CurveForm& form, std::span<const CurvePoint> points) {
    const double log_middle = middle_log(points);
    std::vector<double> z, loss, log_loss;
    for (const CurvePoint& point : points) {
        z.push_back(std::log(point.x) - log_middle);
        loss.push_back(point.loss);
        log_loss.push_back(std::log(point.loss));
    }
    ParametricLaw law;
    law.parameters = form.parameters;
    const double lowest = *std::min_element(loss.begin(), loss.end());
    for (ReportedParameter& parameter : law.parameters)
        if (parameter.name == "E")
            parameter.low = 1e-3 * lowest, parameter.high = lowest, parameter.floor = true;
    law.starts = form.starts(z, loss);
    law.minimized_starts = 6;
    law.report = [&form, log_middle](std::span<const double> at) { return form.report(at, log_middle); };
    law.model = {form.parameters.size(), points.size(),
                 [&form, z, log_loss](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                     return form.log_loss(at, z[i], gradient) - log_loss[i];
                 }};
    return law;
}

FittedForm fit_form(const CurveForm& form, std::span<const CurvePoint> points) {
    const ParametricLaw law = law_of(form, points);
    const auto minima =
        minimize_from_many(law.model, {ObjectiveKind::l2}, {}, law.starts, law.minimized_starts);
    FittedForm fit{&form, std::vector(form.parameters.size(), std::nan("")), infinity, false};
    if (minima.empty()) return fit;
    fit.parameters = law.report(minima.front().at);
    fit.squares = minima.front().value;
    fit.sound = minima.front().converged;
    for (std::size_t p = 0; p < law.parameters.size(); ++p) {
        const ReportedParameter& parameter = law.parameters[p];
        const double value = fit.parameters[p];
        fit.sound = fit.sound && std::isfinite(value) &&
                    (parameter.soft || (value > parameter.low && value < parameter.high));
    }
    return fit;
}

}  // namespace isogrid::analysis
