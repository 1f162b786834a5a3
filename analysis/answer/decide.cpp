#include "analysis/answer/decide.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <boost/math/tools/minima.hpp>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/best_size.hpp"

namespace isogrid::analysis {
namespace {

constexpr double far = 3;                           // decades beyond the runs: no law is known to hold
constexpr int bits = 30;                            // of the minimum's place: half of a double's are real
constexpr double widest = 16.2;                     // e-folds searched to each side: a factor of 1e7
constexpr std::size_t replicates_of_surface = 200;  // a minimum over sizes each: enough for an interval

/// The tokens with which N parameters reach `wanted`, between 1e-7 and 1e7 times `about`; nothing if none do.
std::optional<double> tokens_to_reach(const LossSurface::Loss& loss, double parameters, double wanted,
                                      double about) {
    double low = std::log(about) - widest, high = std::log(about) + widest;
    if (!(loss(parameters, std::exp(high)) < wanted) || !(loss(parameters, std::exp(low)) > wanted))
        return std::nullopt;
    for (int step = 0; step < 60; ++step) {
        const double middle = 0.5 * (low + high);
        (loss(parameters, std::exp(middle)) > wanted ? low : high) = middle;
    }
    return std::exp(0.5 * (low + high));
}

/// FLOPs of reading or writing tokens with a model of a size: a third of what training on them costs, as the
/// forward pass is half of the backward one (Kaplan et al. 2020, section 2.1). `factor` is C / (N D) of
/// training: 2 N a token where that is 6, and of sparse models twice the parameters that each token uses.
double reading_cost(double factor, double parameters, double tokens) {
    return factor / 3 * parameters * tokens;
}

struct Life {
    double parameters = 0, tokens = 0, training = 0, total = 0;
};

std::optional<Life> cheapest(const LossSurface::Loss& loss, double factor, double flops,
                             double inference_tokens) {
    const Optimum best = optimum_on(loss, flops, factor);
    const auto life_at = [&](double log_size) -> std::optional<Life> {
        const double size = std::exp(log_size);
        const auto tokens = tokens_to_reach(loss, size, best.loss, best.tokens);
        if (!tokens) return std::nullopt;
        const double training = factor * size * *tokens;
        return Life{size, *tokens, training, training + reading_cost(factor, size, inference_tokens)};
    };
    const auto cost = [&](double log_size) {
        const auto life = life_at(log_size);
        return life ? std::log(life->total) : std::numeric_limits<double>::max();
    };
    // The cheapest life is never larger than the model that is cheapest to train; how small it may be, the
    // loss says: below some size no data reach it, and the cost is a wall there.
    const double top = std::log(best.parameters) + 0.1;
    double bottom = top;
    for (double down = 0.25; down < widest && life_at(top - down); down += 0.25)
        bottom = top - down;
    if (bottom == top) return std::nullopt;
    const auto [at, value] = boost::math::tools::brent_find_minima(cost, bottom, top, bits);
    return life_at(at);
}

/// A parameter without a limit, or at one: good enough to describe runs, not to decide beyond them.
bool has_an_open_end(const LawFit& fit) {
    return std::any_of(fit.warnings.begin(), fit.warnings.end(), [](const Reason& warning) {
        return warning.kind == Refusal::unbounded || warning.kind == Refusal::on_bound;
    });
}

/// The law whose N, D and loss are taken; null when none stands. Held-out errors are of all runs, good sizes
/// and bad, so a form must be clearly better before it displaces the one listed before it. A law whose floor
/// a run has gone below comes after all others.
const LawFit* most_trusted(std::span<const LawFit> fits) {
    constexpr double clearly = 0.5;
    const LawFit* best = nullptr;
    for (const LawFit& fit : fits) {
        if (!may_decide(fit) || fit.surface->contradicted()) continue;
        if (best == nullptr || held_out_error_of_loss(fit) < clearly * held_out_error_of_loss(*best))
            best = &fit;
    }
    for (const char* name : {"isoflop", "envelope"})
        for (const LawFit& fit : fits)
            if (best == nullptr && fit.name == name && !fit.refused && fit.predict) best = &fit;
    for (const LawFit& fit : fits)
        if (best == nullptr && may_decide(fit)) best = &fit;
    return best;
}

Estimate quotient(const Estimate& over, const Estimate& under) {
    Estimate estimate;
    estimate.value = over.value / under.value;
    // Both are known to a factor: the factors' logarithms add in squares.
    const double up = std::hypot(std::log(over.high / over.value), std::log(under.value / under.low));
    const double down = std::hypot(std::log(over.value / over.low), std::log(under.high / under.value));
    estimate.high = estimate.value * std::exp(up);
    estimate.low = estimate.value * std::exp(-down);
    return estimate;
}

}  // namespace

bool may_decide(const LawFit& fit) {
    if (fit.refused || !fit.surface) return false;
    return fit.predict || (std::isfinite(held_out_error_of_loss(fit)) && !has_an_open_end(fit));
}

double held_out_error_of_loss(const LawFit& fit) {
    for (const HeldOut& held_out : fit.held_out)
        if (held_out.what == "loss") return held_out.mean_error;
    return std::numeric_limits<double>::infinity();
}

Prediction prediction_of(const LawFit& law, double flops) {
    if (law.predict) return law.predict(flops);
    const double factor = law.surface->flops_per_parameter_token, widening = law.surface->widening;
    std::array<std::vector<double>, 3> spread;
    for (std::size_t r = 0; r < std::min(replicates_of_surface, law.surface->replicates.size()); ++r) {
        const Optimum best = optimum_on(law.surface->replicates[r], flops, factor);
        spread[0].push_back(best.parameters), spread[1].push_back(best.tokens),
            spread[2].push_back(best.loss);
    }
    const Optimum best = optimum_on(law.surface->loss, flops, factor);
    return {law.name, flops, summarize(best.parameters, spread[0], widening),
            summarize(best.tokens, spread[1], widening), summarize(best.loss, spread[2], widening)};
}

std::optional<Lifetime> cheapest_life(const LossSurface& surface, double flops, double inference_tokens) {
    const double factor = surface.flops_per_parameter_token;
    const auto best = cheapest(surface.loss, factor, flops, inference_tokens);
    if (!best) return std::nullopt;
    std::array<std::vector<double>, 4> spread;
    for (std::size_t r = 0; r < std::min(replicates_of_surface, surface.replicates.size()); ++r)
        if (const auto life = cheapest(surface.replicates[r], factor, flops, inference_tokens)) {
            spread[0].push_back(life->parameters), spread[1].push_back(life->tokens);
            spread[2].push_back(life->training), spread[3].push_back(life->total);
        }
    return Lifetime{
        inference_tokens,
        summarize(best->parameters, spread[0], surface.widening),
        summarize(best->tokens, spread[1], surface.widening),
        summarize(best->training, spread[2], surface.widening),
        summarize(best->total, spread[3], surface.widening),
        flops + reading_cost(factor, optimum_on(surface.loss, flops, factor).parameters, inference_tokens)};
}

std::optional<Decision> decide(std::span<const LawFit> fits, double flops, double largest,
                               std::optional<double> inference_tokens, std::optional<double> batch_unit) {
    const LawFit* law = most_trusted(fits);
    if (law == nullptr) return std::nullopt;
    const Prediction best = prediction_of(*law, flops);
    Decision decision;
    decision.law = law->name;
    decision.flops = flops;
    decision.decades = std::log10(flops / largest);
    decision.parameters = best.parameters, decision.tokens = best.tokens, decision.loss = best.loss;
    decision.floorless = !law->surface || law->surface->floor() == 0;
    if (decision.decades > far * (1 + 1e-9))
        decision.warnings.push_back(
            {Refusal::far_extrapolation, format_quantity(flops, Quantity::flops) + " FLOPs are " +
                                             format_significant(decision.decades, 2) +
                                             " decades of compute beyond the largest run, " +
                                             format_quantity(largest, Quantity::flops) +
                                             " (nothing shows that a law holds over more than " +
                                             format_significant(far, 1) + ") train larger runs first"});
    if (law->surface && decision.decades > 0 && best.loss.value >= law->surface->lowest_seen)
        decision.reached_already = law->surface->lowest_seen;
    for (const LawFit& fit : fits) {
        if (fit.name == "hyperparameters")
            decision.swept = fit.refused || (fit.batch_rules.empty() && !fit.learning_rate_at);
        if (fit.refused) continue;
        if (!decision.learning_rate && fit.learning_rate_at) {
            decision.learning_rate = fit.learning_rate_at(best.parameters.value, best.tokens.value);
            decision.learning_rate_law = fit.name;
        }
        // A batch that did best where it was tried goes before one that wastes little.
        const BatchRule* rule = most_trusted(fit.batch_rules);
        if (rule != nullptr && (!decision.batch || fit.name == "hyperparameters")) {
            decision.batch = rule->at(best.parameters.value, best.tokens.value, best.loss.value);
            decision.batch_law = fit.name;
            decision.batch_follows = rule->in;
        }
    }
    if (decision.batch && batch_unit) {
        const Estimate& batch = *decision.batch;
        decision.batch_unit = batch_unit;
        decision.steps = quotient(best.tokens, {batch.value * *batch_unit, batch.se * *batch_unit,
                                                batch.low * *batch_unit, batch.high * *batch_unit});
    }
    if (inference_tokens && law->surface)
        decision.lifetime = cheapest_life(*law->surface, flops, *inference_tokens);
    return decision;
}

}  // namespace isogrid::analysis
