#include "analysis/fit/replicates.hpp"

#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "analysis/fit/descent.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t replicate_starts = 3;  ///< optima from which each replicate is fitted

/// The model after `offset` was added to each residual: other observations, the same law.
ResidualModel shifted(const ResidualModel& model, std::vector<double> offset) {
    ResidualModel other = model;
    if (model.all)
        other.all = [all = model.all, offset](std::span<const double> at, std::span<double> residuals,
                                              std::span<double> gradients) {
            all(at, residuals, gradients);
            for (std::size_t i = 0; i < offset.size(); ++i)
                residuals[i] += offset[i];
        };
    other.residual = [residual = model.residual, offset = std::move(offset)](
                         std::span<const double> at, std::size_t i, std::span<double> gradient) {
        return residual(at, i, gradient) + offset[i];
    };
    return other;
}

/// Each observation's draws within the set of its repeats.
std::vector<double> resample_repeats(const std::vector<std::size_t>& repeats, Random& random) {
    std::map<std::size_t, std::vector<std::size_t>> sets;
    for (std::size_t i = 0; i < repeats.size(); ++i)
        sets[repeats[i]].push_back(i);
    std::vector<double> times(repeats.size(), 0.0);
    for (const auto& [set, members] : sets)
        for (std::size_t draw = 0; draw < members.size(); ++draw)
            times[members[random.below(members.size())]] += 1;
    return times;
}

/// The lowest end of descents from `starts`.
std::optional<Minimum> lowest(const ResidualModel& model, const Objective& objective,
                              std::span<const double> weights,
                              const std::vector<std::vector<double>>& starts) {
    Descent descent(model, objective, weights);
    std::optional<Minimum> best;
    for (const auto& start : starts)
        if (Minimum end = descent(start); std::isfinite(end.value) && (!best || end.value < best->value))
            best = std::move(end);
    if (best && !best->converged) best = minimize(model, objective, weights, best->at);
    return best;
}

/// One replicate's minimum: of resampled cases, residuals or seeds.
std::optional<Minimum> refit(const ParametricLaw& law, const FitOptions& options, const Minimum& best,
                             const std::vector<std::vector<double>>& starts, Random& random) {
    const std::size_t count = law.model.observations;
    if (options.resampling == Resampling::residuals) {
        std::vector<double> residuals(count);
        for (std::size_t i = 0; i < count; ++i)
            residuals[i] = law.model.residual(best.at, i, {});
        std::vector<double> offset(count);
        for (std::size_t i = 0; i < count; ++i)
            offset[i] = residuals[random.below(count)] - residuals[i];
        return lowest(shifted(law.model, std::move(offset)), options.objective, law.weights, starts);
    }
    std::vector<double> times = options.resampling == Resampling::seeds && has_repeats(law)
                                    ? resample_repeats(law.repeats, random)
                                    : resample(count, random);
    for (std::size_t i = 0; i < law.weights.size(); ++i)
        times[i] *= law.weights[i];
    return lowest(law.model, options.objective, times, starts);
}

/// Where replicates start: the few best distinct optima. Where a second one is nearly as good, resampling may
/// well prefer it, and that belongs into the interval.
std::vector<std::vector<double>> distinct_optima(const std::vector<Minimum>& minima) {
    std::vector<std::vector<double>> optima;
    double last = 0;
    for (const Minimum& minimum : minima) {
        if (optima.size() == replicate_starts || minimum.value > 2 * minima.front().value) break;
        if (!optima.empty() && !(minimum.value > last * (1 + 1e-3))) continue;
        optima.push_back(minimum.at);
        last = minimum.value;
    }
    return optima;
}

}  // namespace

bool has_repeats(const ParametricLaw& law) {
    return std::set<std::size_t>(law.repeats.begin(), law.repeats.end()).size() < law.repeats.size();
}

std::vector<std::vector<double>> refit_resampled(const ParametricLaw& law, const FitOptions& options,
                                                 const std::vector<Minimum>& minima) {
    const auto starts = distinct_optima(minima);
    return bootstrap(options.bootstrap, options.seed,
                     [&](Random& random) -> std::optional<std::vector<double>> {
                         const auto minimum = refit(law, options, minima.front(), starts, random);
                         if (!minimum) return std::nullopt;
                         std::vector<double> values = law.report(minimum->at);
                         for (std::size_t p = 0; p < values.size(); ++p)
                             if (!law.parameters[p].soft && !law.parameters[p].allows(values[p]))
                                 return std::nullopt;
                         return values;
                     });
}

double widening_of(const ParametricLaw& law, const FitOptions& options) {
    if (options.resampling == Resampling::residuals)
        return residual_widening(law.model.observations, law.model.parameters);
    if (options.resampling == Resampling::cases || !has_repeats(law))
        return case_widening(law.model.observations, law.model.parameters);
    // Within sets of repeats, about each set's mean, there are as many degrees of freedom as repeats beyond
    // the first.
    std::map<std::size_t, std::size_t> sizes;
    for (const std::size_t set : law.repeats)
        ++sizes[set];
    std::size_t repeated = 0, sets = 0;
    for (const auto& [set, size] : sizes)
        if (size > 1) repeated += size, ++sets;
    return residual_widening(repeated, sets);
}

}  // namespace isogrid::analysis
