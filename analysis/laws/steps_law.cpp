#include "analysis/laws/steps_law.hpp"

#include <algorithm>
#include <cmath>

namespace isogrid::analysis {

double StepsLaw::steps(double batch) const {
    return std::exp(log_steps_min) * (1 + std::exp(log_critical) / batch);
}
double StepsLaw::steps_min() const {
    return std::exp(log_steps_min);
}
double StepsLaw::examples_min() const {
    return std::exp(log_steps_min + log_critical);
}
double StepsLaw::critical() const {
    return std::exp(log_critical);
}
double StepsLaw::overhead_batch(double reference) const {
    return (1 + overhead) * reference + overhead * critical();
}

StepsLaw fit_steps(std::span<const double> log_batch, std::span<const double> log_steps) {
    const auto count = static_cast<double>(log_batch.size());
    // For a given critical batch the best Smin is a mean, and what is left has one minimum worth finding.
    const auto bend = [&](double critical, std::size_t i) {
        const double u = critical - log_batch[i];
        return u > 30 ? u : std::log1p(std::exp(u));
    };
    const auto at = [&](double critical) {
        StepsLaw law;
        law.log_critical = critical;
        for (std::size_t i = 0; i < log_batch.size(); ++i)
            law.log_steps_min += (log_steps[i] - bend(critical, i)) / count;
        double mean_slope = 0, slope_squares = 0;
        for (std::size_t i = 0; i < log_batch.size(); ++i) {
            const double residual = log_steps[i] - bend(critical, i) - law.log_steps_min;
            law.squares += residual * residual;
            const double slope = 1 / (1 + std::exp(log_batch[i] - critical));
            mean_slope += slope / count;
            slope_squares += slope * slope;
        }
        law.critical_variance = 1 / (slope_squares - count * mean_slope * mean_slope);
        return law;
    };
    const auto [least, most] = std::minmax_element(log_batch.begin(), log_batch.end());
    constexpr double reach = 5, spacing = 0.5;  // a factor of 150 outside: no bend is left to see
    const double low = *least - reach, high = *most + reach;
    double best = low;
    for (double critical = low; critical <= high; critical += spacing)
        if (at(critical).squares < at(best).squares) best = critical;
    const bool inside = best > low && best + spacing <= high;
    for (int round = 0; round < 60; ++round) {  // Gauss and Newton, in steps of at most a half
        const StepsLaw here = at(best);
        double slope_residual = 0, mean_slope = 0;
        for (std::size_t i = 0; i < log_batch.size(); ++i)
            mean_slope += 1 / (1 + std::exp(log_batch[i] - best)) / count;
        for (std::size_t i = 0; i < log_batch.size(); ++i)
            slope_residual += (1 / (1 + std::exp(log_batch[i] - best)) - mean_slope) *
                              (log_steps[i] - bend(best, i) - here.log_steps_min);
        double step = std::clamp(slope_residual * here.critical_variance, -spacing, spacing);
        if (!std::isfinite(step)) break;
        while (std::abs(step) > 1e-14 && at(best + step).squares > here.squares)
            step /= 2;
        best = std::clamp(best + step, low, high);
        if (std::abs(step) < 1e-12) break;
    }
    StepsLaw law = at(best);
    law.bend_seen = inside && best > low && best < high;
    return law;
}

}  // namespace isogrid::analysis
