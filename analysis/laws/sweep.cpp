#include "analysis/laws/sweep.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/laws/alike.hpp"

namespace isogrid::analysis {
namespace {

constexpr double vague = 0.7;  ///< a factor of two

/// What runs of one sweep share, tokens apart: all of their recipe but the knobs.
auto key_of(const Run& run, Sweeping sweeping) {
    const double batch = sweeping == Sweeping::learning_rate ? run.batch.value_or(0) : 0;
    return std::tuple(run.parameters, run.width.value_or(0), run.parametrization, run.family, batch,
                      run.experts.value_or(0), run.active_parameters.value_or(0), run.shares);
}

/// Loss of each pair of learning rate and batch.
double loss_of(const std::vector<const Run*>& runs) {
    std::set<std::string> seeds;
    double sum = 0, lowest = std::numeric_limits<double>::infinity();
    for (const Run* run : runs) {
        seeds.insert(run->seed);
        sum += run->loss;
        lowest = std::min(lowest, run->loss);
    }
    const bool repeats = runs.size() > 1 && seeds.size() == runs.size();
    return repeats ? sum / static_cast<double>(runs.size()) : lowest;
}

using Points = std::map<std::pair<double, double>, std::vector<const Run*>>;

Sweep make_sweep(const Points& points, bool learning_rate, bool batch) {
    Sweep sweep;
    const Run& any = *points.begin()->second.front();
    sweep.parameters = any.parameters, sweep.tokens = any.tokens, sweep.width = any.width.value_or(0);
    sweep.parametrization = any.parametrization;
    if (!any.family.empty())
        sweep.parametrization += (sweep.parametrization.empty() ? "" : ", ") + any.family;
    sweep.batch = batch ? std::nan("") : points.begin()->first.second;
    sweep.learning_rate_swept = learning_rate, sweep.batch_swept = batch;
    for (const auto& [knobs, runs] : points) {
        sweep.places.emplace_back();
        if (learning_rate) sweep.places.back().push_back(std::log(knobs.first));
        if (batch) sweep.places.back().push_back(std::log(knobs.second));
        sweep.log_loss.push_back(std::log(loss_of(runs)));
    }
    sweep.bowl = fit_bowl(sweep.places, sweep.log_loss);
    return sweep;
}

/// The points at the batch of the lowest loss.
Points at_best_batch(const Points& points) {
    double lowest = std::numeric_limits<double>::infinity(), best = 0;
    for (const auto& [knobs, runs] : points)
        if (const double loss = loss_of(runs); loss < lowest) lowest = loss, best = knobs.second;
    Points chosen;
    for (const auto& [knobs, runs] : points)
        if (knobs.second == best) chosen.insert({knobs, runs});
    return chosen;
}

Points points_of(const std::vector<const Run*>& runs) {
    Points points;
    for (const Run* run : runs)
        points[{run->learning_rate.value_or(0), run->batch.value_or(0)}].push_back(run);
    return points;
}

void add_sweeps(const std::vector<const Run*>& runs, std::vector<Sweep>& sweeps) {
    const Points points = points_of(runs);
    std::set<double> rates, batches;
    for (const auto& [knobs, members] : points)
        rates.insert(knobs.first), batches.insert(knobs.second);
    if (rates.size() < 2 && batches.size() < 2) return;
    sweeps.push_back(make_sweep(points, rates.size() > 1, batches.size() > 1));
    Sweep& both = sweeps.back();
    if (!both.bowl.refused || rates.size() < 2 || batches.size() < 2) return;
    const Points line = at_best_batch(points);
    if (line.size() < 3) return;
    Sweep alone = make_sweep(line, true, false);
    if (!alone.bowl.refused) both = std::move(alone);
}

/// Runs that differ in nothing but the knobs (or in nothing), tokens to rounding.
std::vector<std::vector<const Run*>> cells_of(const std::vector<Run>& runs, Sweeping sweeping) {
    std::map<decltype(key_of(runs.front(), sweeping)), std::vector<const Run*>> groups;
    for (const Run& run : runs)
        if (run.learning_rate.value_or(1) > 0 && run.loss > 0) groups[key_of(run, sweeping)].push_back(&run);
    std::vector<std::vector<const Run*>> cells;
    for (auto& [key, group] : groups) {
        std::stable_sort(group.begin(), group.end(), [](auto* a, auto* b) { return a->tokens < b->tokens; });
        for (auto begin = group.begin(); begin != group.end();) {
            const double from = (*begin)->tokens;
            const auto end =
                std::find_if(begin, group.end(), [&](const Run* run) { return !alike(from, run->tokens); });
            cells.emplace_back(begin, end);
            begin = end;
        }
    }
    return cells;
}

}  // namespace

std::vector<Sweep> gather_sweeps(const std::vector<Run>& runs, Sweeping sweeping) {
    std::vector<Sweep> sweeps;
    for (const auto& cell : cells_of(runs, sweeping))
        add_sweeps(cell, sweeps);
    std::stable_sort(sweeps.begin(), sweeps.end(), [](const Sweep& a, const Sweep& b) {
        return std::tie(a.parameters, a.tokens) < std::tie(b.parameters, b.tokens);
    });
    return sweeps;
}

std::vector<Run> best_of_sweeps(const std::vector<Run>& runs) {
    std::set<const Run*> set_aside;
    for (const auto& cell : cells_of(runs, Sweeping::learning_rate_and_batch)) {
        const Points points = points_of(cell);
        const auto best = std::min_element(points.begin(), points.end(), [](const auto& a, const auto& b) {
            return loss_of(a.second) < loss_of(b.second);
        });
        for (auto point = points.begin(); point != points.end(); ++point)
            if (point != best) set_aside.insert(point->second.begin(), point->second.end());
    }
    std::vector<Run> kept;
    for (const Run& run : runs)
        if (!set_aside.contains(&run)) kept.push_back(run);
    return kept;
}

Runs well_tuned(const Runs& runs, const FitOptions& options, std::vector<std::string>& notes) {
    Runs tuned = runs;
    if (options.objective.kind == ObjectiveKind::asymmetric) return tuned;
    tuned.used = best_of_sweeps(runs.used);
    if (const std::size_t aside = runs.used.size() - tuned.used.size(); aside > 0)
        notes.push_back("of runs that differ in learning rate or batch alone the best count: " +
                        std::to_string(aside) + " of " + std::to_string(runs.used.size()) +
                        " runs are set aside (--objective asymmetric:SHARE takes them all, SHARE of them "
                        "below the law)");
    return tuned;
}

std::string describe(const Sweep& sweep) {
    std::string text;
    if (!sweep.parametrization.empty()) text += sweep.parametrization + ", ";
    if (sweep.parameters > 0)
        text += format_quantity(sweep.parameters, Quantity::parameters) + " parameters, ";
    if (sweep.tokens > 0) text += format_quantity(sweep.tokens, Quantity::tokens) + " tokens, ";
    if (text.empty() && sweep.width > 0) text = "width " + format_count(sweep.width) + ", ";
    return text.empty() ? "the sweep" : text.substr(0, text.size() - 2);
}

Reason explain(const Sweep& sweep) {
    const std::string which = describe(sweep) + ": ", knobs = sweep.learning_rate_swept && sweep.batch_swept
                                                                  ? "learning rates and batches"
                                                              : sweep.batch_swept ? "batches"
                                                                                  : "learning rates";
    const Refusal kind = sweep.bowl.refused.value();
    if (kind == Refusal::too_few_runs) {
        const std::size_t runs = sweep.places.size(), absurd = sweep.bowl.absurd.size(),
                          far = sweep.bowl.distant.size();
        return {kind, which + std::to_string(runs) + " runs, " + std::to_string(absurd) +
                          " of them diverged or nearly" +
                          (far > 0 ? ", " + std::to_string(far) + " farther than a factor of " +
                                         format_count(farthest_fitted) + " from the best"
                                   : "") +
                          " (too few for a quadratic in log loss) try more " + knobs +
                          (far > 0 ? " near the best" : "")};
    }
    if (kind == Refusal::ill_conditioned)
        return {kind,
                which +
                    "the losses are so flat about their minimum that noise hides it (known to no better than "
                    "a factor of two) try " +
                    knobs + " farther apart, or repeat runs by seed"};
    if (kind == Refusal::concave)
        return {kind, which + "the quadratic opens downwards (the losses have no minimum over " + knobs +
                          ") look at the runs: something else differs between them"};
    for (std::size_t k = 0; k < sweep.places.front().size(); ++k) {
        const bool rate = sweep.learning_rate_swept && k == 0;
        double low = std::numeric_limits<double>::infinity(), high = -low;
        for (const auto& place : sweep.places)
            low = std::min(low, place[k]), high = std::max(high, place[k]);
        const double best = sweep.places[sweep.bowl.lowest][k];
        const std::string knob = rate ? "learning rate" : "batch";
        if (best == low || best == high)
            return {kind,
                    which + "the " + (best == low ? "smallest " : "largest ") + knob + " tried, " +
                        format_significant(std::exp(best), 3) +
                        ", does best (the minimum lies beyond it, unless what lies there diverged) try " +
                        (best == low ? "smaller" : "larger") + " ones"};
    }
    return {kind, which + "the minimum lies outside the " + knobs +
                      " near the best (the losses are too uneven) try more of them around it"};
}

void tell_sweeps(const std::vector<Sweep>& sweeps, LawFit& fit) {
    constexpr std::size_t most = 10;
    fit.objective_value = 0;
    for (const Sweep& sweep : sweeps)
        if (!sweep.bowl.refused)
            fit.objective_value += sweep.bowl.squares;
        else if (fit.warnings.size() < most)
            fit.warnings.push_back(explain(sweep));
}

SweepNoise sweep_noise(std::vector<Sweep>& sweeps) {
    SweepNoise noise;
    double squares = 0;
    for (const Sweep& sweep : sweeps) {
        if (sweep.bowl.refused) continue;
        squares += sweep.bowl.squares;
        noise.freedom += sweep.bowl.freedom();
    }
    if (noise.freedom > 0) noise.deviation = std::sqrt(squares / noise.freedom);
    for (Sweep& sweep : sweeps) {
        if (sweep.bowl.refused) continue;
        for (const double variance : sweep.bowl.vertex_variance)
            if (noise.deviation * std::sqrt(variance) > vague) sweep.bowl.refused = Refusal::ill_conditioned;
    }
    return noise;
}

std::vector<std::vector<Bowl>> redraw_sweeps(const std::vector<Sweep>& sweeps, const SweepNoise& noise,
                                             const FitOptions& options) {
    if (!(noise.freedom > 0)) return {};
    std::vector<std::vector<Bowl>> redrawn(options.bootstrap);
    std::vector<double> fitted;
    for (const Sweep& sweep : sweeps)
        for (const auto& place : sweep.places)
            fitted.push_back(sweep.bowl.refused ? 0 : sweep.bowl.at(place));
    for (std::size_t k = 0; k < options.bootstrap; ++k) {
        Random random(options.seed, k);
        const double deviation = noise.deviation * t_widening(noise.freedom);
        std::size_t at = 0;
        for (const Sweep& sweep : sweeps) {
            std::vector<double> log_loss;
            for (std::size_t i = 0; i < sweep.places.size(); ++i)
                log_loss.push_back(fitted[at++] + deviation * random.normal());
            redrawn[k].push_back(sweep.bowl.refused ? sweep.bowl : refit(sweep.bowl, sweep.places, log_loss));
        }
    }
    return redrawn;
}

Estimate best_value(const Sweep& sweep, std::size_t which, std::size_t knob,
                    const std::vector<std::vector<Bowl>>& redrawn) {
    std::vector<double> spread;
    for (const auto& bowls : redrawn)
        if (!bowls[which].refused) spread.push_back(std::exp(bowls[which].vertex[knob]));
    return summarize(std::exp(sweep.bowl.vertex[knob]), std::move(spread));
}

void draw_sweep(const Sweep& sweep, std::size_t knob, const std::string& label, double shade,
                Figure& figure) {
    // Of points that share the knob's value (other batches) the lowest is shown, as the curve shows the best.
    std::map<double, std::pair<double, bool>> shown;
    for (std::size_t i = 0; i < sweep.places.size(); ++i) {
        const bool used =
            !sweep.bowl.refused && std::count(sweep.bowl.fitted.begin(), sweep.bowl.fitted.end(), i);
        const auto [at, fresh] = shown.try_emplace(sweep.places[i][knob], std::pair{sweep.log_loss[i], used});
        if (!fresh && sweep.log_loss[i] < at->second.first) at->second = {sweep.log_loss[i], used};
    }
    Series points{label, Mark::points, shade, 0, {}, {}, {}};
    Series aside{"", Mark::rings, shade, 0, {}, {}, {}};
    if (sweep.bowl.refused) {
        aside = {
            label + " (" + std::string(name(*sweep.bowl.refused)) + ")", Mark::crosses, shade, 0, {}, {}, {}};
        if (label.empty()) aside.label.clear();
    }
    double from = std::numeric_limits<double>::infinity(), to = -from;
    for (const auto& [value, point] : shown) {
        Series& where = point.second ? points : aside;
        where.x.push_back(std::exp(value)), where.y.push_back(std::exp(point.first));
        if (point.second) from = std::min(from, value), to = std::max(to, value);
    }
    if (!sweep.bowl.refused) {
        Series line{"", Mark::line, shade, 0, {}, {}, {}};
        for (int step = 0; step <= 60; ++step) {
            const double value = from + (to - from) * step / 60;
            line.x.push_back(std::exp(value)), line.y.push_back(std::exp(sweep.bowl.profile(knob, value)));
        }
        figure.series.push_back(std::move(line));
    }
    if (!points.x.empty()) figure.series.push_back(std::move(points));
    if (!aside.x.empty()) figure.series.push_back(std::move(aside));
    if (!sweep.bowl.refused)
        figure.series.push_back({"",
                                 Mark::diamonds,
                                 shade,
                                 0,
                                 {std::exp(sweep.bowl.vertex[knob])},
                                 {std::exp(sweep.bowl.minimum)},
                                 {}});
}

void cut_high_losses(const std::vector<Sweep>& sweeps, Figure& figure) {
    Extent shown;
    for (const Sweep& sweep : sweeps)
        for (const double loss : sweep.log_loss) {
            const double lowest = sweep.log_loss[sweep.bowl.lowest];
            if (loss > lowest + std::log(1.1)) continue;
            shown.add(std::exp(lowest)), shown.add(std::exp(loss));
        }
    if (shown.high > shown.low) figure.y.highest = shown.high + 0.1 * (shown.high - shown.low);
}

}  // namespace isogrid::analysis
