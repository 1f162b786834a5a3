#include "analysis/fit/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <boost/math/distributions/students_t.hpp>

#include "analysis/fit/parallel.hpp"

namespace isogrid::analysis {

Random::Random(std::uint64_t seed, std::uint64_t stream) {
    std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                           static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
    engine_.seed(sequence);
}

double Random::uniform() {
    return static_cast<double>(engine_() >> 11) * 0x1p-53;
}

std::size_t Random::below(std::size_t count) {
    return std::min(static_cast<std::size_t>(uniform() * static_cast<double>(count)), count - 1);
}

double Random::normal() {  // Box and Muller 1958
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::vector<double> resample(std::size_t count, Random& random) {
    std::vector<double> times(count, 0.0);
    for (std::size_t draw = 0; draw < count; ++draw)
        times[random.below(count)] += 1;
    return times;
}

std::vector<std::vector<double>> bootstrap(std::size_t count, std::uint64_t seed,
                                           const Replicate& replicate) {
    std::vector<std::optional<std::vector<double>>> results(count);
    parallel_for(count, [&]() -> Task {
        return [&](std::size_t k) {
            Random random(seed, k);
            results[k] = replicate(random);
        };
    });
    std::vector<std::vector<double>> kept;
    for (auto& result : results)
        if (result) kept.push_back(std::move(*result));
    return kept;
}

double quantile(std::span<const double> sorted, double fraction) {
    const auto count = static_cast<double>(sorted.size());
    const double place = std::clamp(fraction * (count + 1) - 1, 0.0, count - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double median(std::vector<double> values) {
    if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
    std::sort(values.begin(), values.end());
    return quantile(values, 0.5);
}

double student_reach(double freedom) {
    return boost::math::quantile(boost::math::students_t(freedom), 0.975);
}

double t_widening(double freedom) {
    constexpr double z = 1.959963984540054;
    return std::isfinite(freedom) ? student_reach(std::max(freedom, 1.0)) / z : 1;
}

double case_widening(std::size_t observations, std::size_t parameters) {
    if (observations <= parameters) return 1;
    const double n = static_cast<double>(observations);
    return std::sqrt(n / (n - 1)) * t_widening(n - static_cast<double>(parameters));
}

double residual_widening(std::size_t observations, std::size_t parameters) {
    if (observations <= parameters) return 1;
    const double n = static_cast<double>(observations), freedom = n - static_cast<double>(parameters);
    return std::sqrt(n / freedom) * t_widening(freedom);
}

Estimate summarize(double value, std::vector<double> replicates, double widening) {
    std::erase_if(replicates, [](double v) { return !std::isfinite(v); });
    Estimate estimate;
    estimate.value = value;
    if (replicates.size() < 20) return estimate;
    std::sort(replicates.begin(), replicates.end());
    double mean = 0, squares = 0;
    for (const double v : replicates)
        mean += v / static_cast<double>(replicates.size());
    for (const double v : replicates)
        squares += (v - mean) * (v - mean);
    estimate.se = std::sqrt(squares / static_cast<double>(replicates.size() - 1));
    const auto widen = [&](double bound) {
        // What is positive stays so: its interval widens by a factor.
        return value > 0 && replicates.front() > 0 ? value * std::pow(bound / value, widening)
                                                   : value + widening * (bound - value);
    };
    // Where nearly all replicates lie on one side, widening would carry the nearer end away from the value.
    estimate.low = std::min(widen(quantile(replicates, 0.025)), value);
    estimate.high = std::max(widen(quantile(replicates, 0.975)), value);
    // Nor does what replicates push against zero, as a floor, go below it.
    if (value >= 0 && replicates.front() >= 0) estimate.low = std::max(estimate.low, 0.0);
    return estimate;
}

Estimate summarize(double value, const std::vector<std::vector<double>>& replicates, std::size_t index,
                   double widening) {
    std::vector<double> column;
    for (const auto& replicate : replicates)
        column.push_back(replicate[index]);
    return summarize(value, std::move(column), widening);
}

}  // namespace isogrid::analysis
