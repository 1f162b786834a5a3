// Approach 1 of Hoffmann et al. 2022: the lowest loss that any training curve reaches at each compute.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/laws/frontier.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {
namespace {

constexpr int grid_points = 400;
constexpr std::size_t fewest_sizes = 3;

/// Loss and tokens of a curve at a compute it passes through, linear in log compute; NaN elsewhere.
struct Reading {
    double loss = std::numeric_limits<double>::quiet_NaN(), tokens = loss;
};
Reading read_curve(const std::vector<CurveSample>& curve, double flops) {
    for (std::size_t i = 1; i < curve.size(); ++i) {
        const CurveSample &left = curve[i - 1], &right = curve[i];
        if (!(left.flops > 0) || flops < left.flops || flops > right.flops * (1 + 1e-12)) continue;
        const double share = std::log(flops / left.flops) / std::log(right.flops / left.flops);
        return {left.loss + share * (right.loss - left.loss),
                left.tokens * std::pow(right.tokens / left.tokens, share)};
    }
    return {};
}

/// Every curve read at the same compute values.
struct Curves {
    std::vector<double> flops;                   ///< even in logarithms
    std::vector<double> parameters;              ///< of each run
    std::vector<std::vector<Reading>> readings;  ///< (run, compute)
    Extent sizes;
};

/// Compute runs from the end of the shortest run to the end of the longest: below, no learning rate has come
/// down, and every loss is higher than a run made for that compute would reach.
Curves read_all(const Runs& runs) {
    Curves curves;
    Extent ends;
    for (const Run& run : runs.used)
        if (run.curve.size() >= 2) ends.add(run.curve.back().flops);
    if (!(ends.high > ends.low)) return curves;
    curves.flops = log_spaced(ends.low, ends.high, grid_points - 1);
    for (const Run& run : runs.used) {
        if (run.curve.size() < 2) continue;
        curves.parameters.push_back(run.parameters);
        auto& row = curves.readings.emplace_back();
        for (const double flops : curves.flops)
            row.push_back(read_curve(run.curve, flops));
    }
    curves.sizes = extent_of(curves.parameters, std::identity{});
    return curves;
}

struct Envelope {
    std::vector<Optimum>
        optima;            ///< where the lowest loss belongs to a size with both smaller and larger beside it
    std::size_t edge = 0;  ///< points left out because the smallest or the largest size was best
    std::size_t sizes = 0;  ///< different sizes among the optima
};

/// The points at which some curve goes below everything reached with less compute.
Envelope lower_envelope(const Curves& curves) {
    Envelope envelope;
    std::vector<Optimum> all;
    std::set<double> sizes;
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < curves.flops.size(); ++k) {
        std::size_t best = curves.readings.size();
        for (std::size_t r = 0; r < curves.readings.size(); ++r)
            if (curves.readings[r][k].loss < lowest) {
                lowest = curves.readings[r][k].loss;
                best = r;
            }
        if (best == curves.readings.size()) continue;
        all.push_back({curves.flops[k], curves.parameters[best], curves.readings[best][k].tokens, lowest});
    }
    // Between the last point of the smallest size and the first of the largest: leaving out just their points
    // would keep those of low C whose size is large and those of high C whose size is small, and bend the
    // law.
    auto begin = all.begin(), end = all.end();
    for (auto at = all.begin(); at != end; ++at)
        if (at->parameters == curves.sizes.low) begin = at + 1;
    end = std::find_if(begin, end, [&](const Optimum& at) { return at.parameters == curves.sizes.high; });
    envelope.optima.assign(begin, end);
    envelope.edge = all.size() - envelope.optima.size();
    for (const Optimum& optimum : envelope.optima)
        sizes.insert(optimum.parameters);
    envelope.sizes = sizes.size();
    return envelope;
}

/// One point a size, in the middle of where it is best: there N does not grow at all, and a line through
/// every point of a staircase of k equal steps is too flat by 1 / k^2. The points of one size come from
/// hardly more than one run, so they are one observation besides.
std::vector<Optimum> steps_of(const std::vector<Optimum>& optima) {
    std::map<double, std::vector<const Optimum*>> sizes;
    for (const Optimum& optimum : optima)
        sizes[optimum.parameters].push_back(&optimum);
    std::vector<Optimum> steps;
    for (const auto& [parameters, points] : sizes) {
        Optimum mean;
        for (const Optimum* point : points) {
            const double share = 1 / static_cast<double>(points.size());
            mean.flops += share * std::log(point->flops);
            mean.tokens += share * std::log(point->tokens);
            mean.loss += share * std::log(point->loss);
        }
        steps.push_back({std::exp(mean.flops), parameters, std::exp(mean.tokens), std::exp(mean.loss)});
    }
    return steps;
}

/// Steps redrawn as far as they lie off the line, with Student's t: what a size lacks at a compute its tokens
/// have too much of.
FrontierReplicates replicate(const std::vector<Optimum>& steps, const Frontier& frontier,
                             const FitOptions& options) {
    const auto freedom = static_cast<double>(steps.size() - 2);
    const double size = std::sqrt(frontier.parameters.squares / freedom),
                 loss = std::sqrt(frontier.loss.squares / freedom);
    FrontierReplicates replicates;
    replicates.size_widening = replicates.loss_widening = t_widening(freedom);
    for (std::size_t k = 0; k < options.bootstrap; ++k) {
        Random random(options.seed, k);
        std::vector<Optimum> again = steps;
        for (Optimum& step : again) {
            const double off = std::exp(size * random.normal());
            step.parameters *= off, step.tokens /= off;
            step.loss *= std::exp(loss * random.normal());
        }
        replicates.frontiers.push_back(fit_frontier(again));
    }
    return replicates;
}

Figure curves_figure(const Runs& runs, const std::vector<Optimum>& optima) {
    Figure figure{
        "training-curves",
        "Training curves and the lower envelope they leave",
        "Loss of every run while it trains, one colour a budget. The dark points are the envelope: "
        "losses that no run reaches with less compute. The first moments of training are not shown.",
        {"training compute C (FLOPs)", Quantity::flops, true},
        {"validation loss (nats a token)", Quantity::loss, false},
        {}};
    figure.legend = "budget (FLOPs)";
    std::set<double> budgets;
    for (const Run& run : runs.used)
        budgets.insert(run.budget);
    const Extent flops = extent_of(runs.used, &Run::flops), losses = extent_of(runs.used, &Run::loss);
    const double from = flops.low / 30;  // before that the losses tell nothing of the envelope
    figure.y.highest = losses.high + 1.5 * (losses.high - losses.low);
    std::set<double> named;
    for (const Run& run : runs.used) {
        Series line{"", Mark::line, 0.5, 0, {}, {}, {}};
        const auto rank = std::distance(budgets.begin(), budgets.find(run.budget));
        if (budgets.size() > 1)
            line.shade = static_cast<double>(rank) / static_cast<double>(budgets.size() - 1);
        if (run.budget > 0 && budgets.size() <= 10 && named.insert(run.budget).second)
            line.label = format_quantity(run.budget, Quantity::flops);
        for (const CurveSample& sample : run.curve)
            if (sample.flops >= from) line.x.push_back(sample.flops), line.y.push_back(sample.loss);
        if (line.x.size() > 1) figure.series.push_back(std::move(line));
    }
    Series envelope{"lower envelope", Mark::dots, std::nullopt, 0, {}, {}, {}};
    for (const Optimum& optimum : optima)
        envelope.x.push_back(optimum.flops), envelope.y.push_back(optimum.loss);
    if (!optima.empty()) figure.series.push_back(std::move(envelope));
    return figure;
}

/// Whether most curves stay at one compute: their tokens are those of the whole run in every row.
bool stand_still(const Runs& runs) {
    std::size_t curves = 0, still = 0;
    for (const Run& run : runs.used) {
        if (run.curve.size() < 2) continue;
        ++curves;
        still += !(run.curve.back().flops > run.curve.front().flops * (1 + 1e-9));
    }
    return 2 * still > curves;
}

std::optional<Reason> unusable(const Runs& runs, const Curves& curves, const Envelope& envelope) {
    const std::string needed = std::to_string(fewest_sizes);
    if (envelope.sizes < fewest_sizes && stand_still(runs))
        return Reason{Refusal::no_curves,
                      "compute does not grow along the training curves (all rows of a run have the same C) "
                      "name the tokens so far as tokens=, or leave it out and name batch= and step="};
    if (curves.flops.empty())
        return Reason{Refusal::no_curves,
                      "the runs carry no training curves (only their ends are known) fit an "
                      "archive, or name the column that tells runs apart: --columns run=COL"};
    if (envelope.sizes >= fewest_sizes) return std::nullopt;
    if (envelope.edge > envelope.optima.size())
        return Reason{Refusal::edge_minimum,
                      "the envelope belongs to the smallest or largest size at " +
                          std::to_string(envelope.edge) + " of " +
                          std::to_string(envelope.edge + envelope.optima.size()) +
                          " points (better sizes may lie outside the grid) widen the ladder"};
    return Reason{Refusal::too_few_runs, std::to_string(envelope.sizes) + " sizes on the envelope (" +
                                             needed + " are needed) run more sizes and budgets"};
}

}  // namespace

LawFit fit_envelope(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "envelope";
    fit.redrawn = "the optima of the envelope, as far as they lie off their power laws";
    const Curves curves = read_all(runs);
    const Envelope envelope = lower_envelope(curves);
    if (!curves.flops.empty()) fit.figures.push_back(curves_figure(runs, envelope.optima));
    if ((fit.refused = unusable(runs, curves, envelope))) return fit;

    if (auto mixed = mixes_dense_and_sparse(runs.used)) fit.warnings.push_back(std::move(*mixed));
    const std::vector<Optimum> steps = steps_of(envelope.optima);
    const Frontier frontier = fit_frontier(steps);
    fit.optima = envelope.optima;
    answer_with(frontier, replicate(steps, frontier, options), fit);
    tell_frontier_validation(steps, {}, fit);
    fit.notes.push_back("the envelope has " + std::to_string(envelope.optima.size()) + " points on " +
                        std::to_string(envelope.sizes) +
                        " sizes; points of one run are not independent, and "
                        "losses before a run's end carry an undecayed learning rate");
    if (envelope.edge > envelope.optima.size())
        fit.warnings.push_back(
            {Refusal::edge_minimum,
             "most of the envelope belongs to the smallest or largest size (better ones may "
             "lie outside the grid) widen the ladder"});
    return fit;
}

}  // namespace isogrid::analysis
