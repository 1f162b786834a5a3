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

using Sets = std::map<std::size_t, std::vector<std::size_t>>;

/// Observations by the set of repeats that they are in.
Sets sets_of(const std::vector<std::size_t>& repeats) {
    Sets sets;
    for (std::size_t i = 0; i < repeats.size(); ++i)
        sets[repeats[i]].push_back(i);
    return sets;
}

std::vector<double> residuals_at(const ParametricLaw& law, std::span<const double> at) {
    std::vector<double> residuals;
    for (std::size_t i = 0; i < law.model.observations; ++i)
        residuals.push_back(law.model.residual(at, i, {}));
    return residuals;
}

/// Seeds drawn again: how often each observation counts, and what is added to its residual.
struct DrawnSeeds {
    std::vector<double> times, offset;
};

/// Each observation's draws within the set of its repeats. One without a repeat keeps its place and moves by
/// what some repeat lies off the mean of its set: it has a seed too, which nobody drew twice.
DrawnSeeds resample_seeds(const Sets& sets, const std::vector<double>& residuals, Random& random) {
    std::vector<double> moves;
    for (const auto& [set, members] : sets) {
        if (members.size() < 2) continue;
        double mean = 0;
        for (const std::size_t i : members)
            mean += residuals[i] / static_cast<double>(members.size());
        for (const std::size_t i : members)
            moves.push_back(residuals[i] - mean);
    }
    DrawnSeeds drawn{std::vector<double>(residuals.size(), 0.0), std::vector<double>(residuals.size(), 0.0)};
    for (const auto& [set, members] : sets)
        for (std::size_t draw = 0; draw < members.size(); ++draw)
            drawn.times[members[random.below(members.size())]] += 1;
    for (const auto& [set, members] : sets)
        if (members.size() == 1) drawn.offset[members.front()] = moves[random.below(moves.size())];
    return drawn;
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
        const std::vector<double> residuals = residuals_at(law, best.at);
        std::vector<double> offset(count);
        for (std::size_t i = 0; i < count; ++i)
            offset[i] = residuals[random.below(count)] - residuals[i];
        return lowest(shifted(law.model, std::move(offset)), options.objective, law.weights, starts);
    }
    const bool seeds = options.resampling == Resampling::seeds && can_draw_seeds(law);
    DrawnSeeds drawn;
    if (seeds)
        drawn = resample_seeds(sets_of(law.repeats), residuals_at(law, best.at), random);
    else
        drawn.times = resample(count, random);
    for (std::size_t i = 0; i < law.weights.size(); ++i)
        drawn.times[i] *= law.weights[i];
    return lowest(seeds ? shifted(law.model, std::move(drawn.offset)) : law.model, options.objective,
                  drawn.times, starts);
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

std::size_t repeats_beyond_first(const ParametricLaw& law) {
    return law.repeats.size() - std::set<std::size_t>(law.repeats.begin(), law.repeats.end()).size();
}

bool can_draw_seeds(const ParametricLaw& law) {
    constexpr std::size_t fewest = 3;
    return repeats_beyond_first(law) >= fewest;
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
    if (options.resampling == Resampling::cases || !can_draw_seeds(law))
        return case_widening(law.model.observations, law.model.parameters);
    // Within sets of repeats, about each set's mean, there are as many degrees of freedom as repeats beyond
    // the first; runs without a repeat move by the same differences.
    std::size_t repeated = 0, sets = 0;
    for (const auto& [set, members] : sets_of(law.repeats))
        if (members.size() > 1) repeated += members.size(), ++sets;
    return residual_widening(repeated, sets);
}

}  // namespace isogrid::analysis
