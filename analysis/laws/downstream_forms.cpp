#include "analysis/laws/downstream_forms.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {

ErrorPairs::ErrorPairs(const std::vector<Run>& runs) {
    std::vector<const Run*> with_error;
    for (const Run& run : runs)
        if (run.error) loss.push_back(run.loss), error.push_back(*run.error), with_error.push_back(&run);
    repeats = repeats_of(with_error);
    mean = std::accumulate(loss.begin(), loss.end(), 0.0) / static_cast<double>(loss.size());
}

double ErrorPairs::lowest() const {
    return *std::min_element(error.begin(), error.end());
}
double ErrorPairs::highest() const {
    return *std::max_element(error.begin(), error.end());
}
double ErrorPairs::lowest_loss() const {
    return *std::min_element(loss.begin(), loss.end());
}
double ErrorPairs::highest_loss() const {
    return *std::max_element(loss.begin(), loss.end());
}

ErrorForm exponential_error() {
    return {"exponential",
            "epsilon - k exp(-gamma L)",
            {{"epsilon", 0, 1.2, /*soft=*/true}, {"k"}, {"gamma", 1e-3, 1e3}},
            [](std::span<const double> v, double loss) { return v[0] - v[1] * std::exp(-v[2] * loss); },
            [](const ErrorPairs& pairs) -> ResidualModel {
                return {3, pairs.loss.size(),
                        [&pairs](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                            const double gamma = std::exp(at[2]), x = pairs.loss[i] - pairs.mean;
                            const double drop = std::exp(at[1] - gamma * x);
                            if (!gradient.empty())
                                gradient[0] = 1, gradient[1] = -drop, gradient[2] = gamma * x * drop;
                            return at[0] - drop - pairs.error[i];
                        }};
            },
            [](const ErrorPairs& pairs, std::span<const double> at) {
                const double gamma = std::exp(at[2]);
                return std::vector{at[0], std::exp(at[1] + gamma * pairs.mean), gamma};
            },
            [](const ErrorPairs& pairs) {
                std::vector<std::vector<double>> grid;
                const double range = std::max(pairs.highest() - pairs.lowest(), 1e-6);
                for (const double above : {0.02, 0.2, 1.0})
                    for (const double drop : {0.3, 1.0})
                        for (const double gamma : {0.1, 0.5, 1.0, 2.0, 5.0})
                            grid.push_back(
                                {pairs.highest() + above * range, std::log(drop * range), std::log(gamma)});
                return grid;
            }};
}

ErrorForm sigmoid_error() {
    return {"sigmoid",
            "a sigmoid in L",
            {{"low", -0.5, 1, true}, {"high", 0, 1.5, true}, {"kappa", 1e-2, 1e3}, {"L0"}},
            [](std::span<const double> v, double loss) {
                return v[0] + (v[1] - v[0]) / (1 + std::exp(-v[2] * (loss - v[3])));
            },
            [](const ErrorPairs& pairs) -> ResidualModel {
                return {4, pairs.loss.size(),
                        [&pairs](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                            const double range = std::exp(at[1]), kappa = std::exp(at[2]);
                            const double x = pairs.loss[i] - at[3];
                            const double share = 1 / (1 + std::exp(-kappa * x));
                            const double slope = range * share * (1 - share);
                            if (!gradient.empty()) {
                                gradient[0] = 1, gradient[1] = range * share;
                                gradient[2] = slope * kappa * x, gradient[3] = -slope * kappa;
                            }
                            return at[0] + range * share - pairs.error[i];
                        }};
            },
            [](const ErrorPairs&, std::span<const double> at) {
                return std::vector{at[0], at[0] + std::exp(at[1]), std::exp(at[2]), at[3]};
            },
            [](const ErrorPairs& pairs) {
                std::vector<std::vector<double>> grid;
                const double range = std::max(pairs.highest() - pairs.lowest(), 1e-6);
                for (const double under : {0.0, 0.5})
                    for (const double wide : {1.1, 2.0})
                        for (const double kappa : {0.5, 1.5, 4.0, 12.0})
                            for (const double middle : {-1.0, 0.0, 1.0})
                                grid.push_back({pairs.lowest() - under * range, std::log(wide * range),
                                                std::log(kappa), pairs.mean + middle});
                return grid;
            }};
}

ParametricFit fit_error_form(const ErrorForm& form, const ErrorPairs& pairs, const FitOptions& options) {
    return fit_parametric({.model = form.model(pairs),
                           .parameters = form.parameters,
                           .report = [&](std::span<const double> at) { return form.report(pairs, at); },
                           .starts = form.starts(pairs),
                           .repeats = pairs.repeats},
                          options);
}

double squares_of(const ErrorForm& form, const ErrorPairs& pairs, std::span<const double> values) {
    double squares = 0;
    for (std::size_t i = 0; i < pairs.loss.size(); ++i) {
        const double error = form.error(values, pairs.loss[i]) - pairs.error[i];
        squares += error * error;
    }
    return squares;
}

}  // namespace isogrid::analysis
