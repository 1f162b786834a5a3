// Loss under any learning-rate schedule, learned from a few curves.
#include "analysis/laws/schedule.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/parametric.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/schedule_figures.hpp"
#include "analysis/laws/schedule_kinds.hpp"
#include "analysis/laws/schedule_model.hpp"

namespace isogrid::analysis {
namespace {

constexpr double answer_resolution = 400;
constexpr std::size_t fewest_points = 20, fewest_of_a_curve = 5;

ScheduleLaw law_of(std::span<const double> v) {
    return {v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
}

const std::array<const char*, 7> names = {"L0", "A", "alpha", "B", "C", "beta", "gamma"};

ParametricLaw parametric(const ScheduleModel& model) {
    return {.model = model.model(),
            .parameters = {{"L0", 1e-3, std::numeric_limits<double>::infinity(), /*soft=*/true},
                           {"A"},
                           {"alpha", 0.01, 5},
                           {"B"},
                           {"C"},
                           {"beta", 1e-3, 20, /*soft=*/true},
                           {"gamma", -2, 5, /*soft=*/true}},
            .report = [&](std::span<const double> at) { return model.report(at); },
            .starts = model.starts(),
            .minimized_starts = 12};
}

std::optional<Reason> too_few(const ScheduleModel& model) {
    std::vector<Schedule> schedules;
    for (const ScheduledCurve& curve : model.curves)
        schedules.push_back(curve.schedule);
    const auto falling = std::count_if(schedules.begin(), schedules.end(), [](const Schedule& schedule) {
        return falls(schedule.learning_rate);
    });
    const std::size_t different = count_different(schedules);
    if (model.points.size() >= fewest_points && falling > 0 && different > 1) return std::nullopt;
    return Reason{Refusal::too_few_runs,
                  std::to_string(model.curves.size()) + " curves of " + std::to_string(model.points.size()) +
                      " points and " + std::to_string(different) + " schedules, " + std::to_string(falling) +
                      " of the curves with a falling learning rate (2 schedules, 20 points and a curve that "
                      "falls are needed for 7 parameters) add a curve with another schedule"};
}

/// A run whose curve begins with its first rate above zero. Before it nothing is learned: programs that log
/// their warm-up from its first step write a rate of 0 there, and the law has warmed up linearly to the first
/// point in any case.
Run without_rates_of_zero(Run run) {
    const auto drop = [](auto& samples) {
        samples.erase(samples.begin(), std::find_if(samples.begin(), samples.end(), [](const auto& sample) {
                          return sample.learning_rate != 0;
                      }));
    };
    drop(run.curve), drop(run.rates);
    return run;
}

/// Why a curve cannot be fitted or predicted; nothing where it can.
std::string fault_of(const Run& run) {
    if (std::any_of(run.curve.begin(), run.curve.end(), [](const CurveSample& sample) {
            return !std::isfinite(sample.step) || !std::isfinite(sample.learning_rate) || !(sample.loss > 0);
        }))
        return "does not tell its steps, learning rates and losses at all points";
    if (run.curve.size() < fewest_of_a_curve)
        return "has fewer than " + std::to_string(fewest_of_a_curve) +
               " points from its first learning rate above 0 on";
    if (run.curve.front().learning_rate < 0) return "begins with a learning rate below 0";
    if (const auto large = known_too_seldom(Schedule::of(run)))
        return "changes its learning rate by more than a quarter over " + std::to_string(large->number) +
               " of " + std::to_string(large->intervals) +
               " intervals between its points, so the schedule there is not known; log it more often";
    return {};
}

/// The curves that are fitted and those that were held out to be predicted.
struct ChosenCurves {
    std::vector<Run> fitted, held;
    std::string left_out;  ///< what was left out and why, in sentences; empty where nothing was
};

/// `100M parameters`, and their family where there is one.
std::string in_words(const std::pair<double, std::string>& kind) {
    return format_count(kind.first) + " parameters" + (kind.second.empty() ? "" : ", " + kind.second);
}

/// The curves of one size and family: the law has neither in it. Those of the most common one, of equally
/// common ones the largest.
ChosenCurves of_one_kind(const Runs& runs, const std::vector<std::string>& hold_out, LawFit& fit) {
    std::map<std::pair<double, std::string>, std::vector<Run>> kinds;
    std::map<std::string, std::string> faults;  // of curves to be held out, with what to do
    std::map<std::string, std::vector<std::string>> left_out;
    const auto is_held = [&](const Run& run) {
        return std::find(hold_out.begin(), hold_out.end(), run.name) != hold_out.end();
    };
    for (const Run& as_read : runs.used) {
        Run run = without_rates_of_zero(as_read);
        const std::string fault = fault_of(run);
        if (fault.empty())
            kinds[{run.parameters, run.family}].push_back(std::move(run));
        else if (is_held(run))
            faults[run.name] = "it " + fault + ") hold out another curve";
        else if (as_read.curve.size() > 1)
            left_out[fault].push_back(run.name);
    }
    ChosenCurves chosen;
    for (const auto& [fault, names] : left_out) {
        const std::string words = names.size() == 1
                                      ? "the curve " + names.front() + " is left out: it " + fault
                                      : std::to_string(names.size()) + " curves are left out (" +
                                            names.front() + " is the first): each " + fault;
        fit.notes.push_back(words);
        chosen.left_out += (chosen.left_out.empty() ? "" : "; ") + words;
    }
    const auto most = std::max_element(kinds.begin(), kinds.end(), [](const auto& a, const auto& b) {
        return std::pair(a.second.size(), a.first) < std::pair(b.second.size(), b.first);
    });
    for (auto at = kinds.begin(); at != kinds.end(); ++at)
        for (Run& run : at->second) {
            if (!is_held(run)) {
                if (at == most) chosen.fitted.push_back(std::move(run));
            } else if (at == most) {
                chosen.held.push_back(std::move(run));
            } else {
                faults[run.name] = "it is of " + in_words(at->first) + ", and curves of " +
                                   in_words(most->first) + " are fitted) hold out one of those";
            }
        }
    if (kinds.size() > 1)
        fit.notes.push_back(
            "only the " + std::to_string(chosen.fitted.size() + chosen.held.size()) + " curves of " +
            in_words(most->first) +
            " are fitted: the law is of one size and family (of a CSV --where chooses another)");
    for (const auto& [name, fault] : faults)
        fit.warnings.push_back({Refusal::no_curves, "--hold-out " + name + " is not predicted (" + fault});
    return chosen;
}

/// The law of resampled blocks of neighbouring points.
std::vector<ScheduleLaw> replicates(const ScheduleModel& model, const FitOptions& options,
                                    const Minimum& best) {
    const ResidualModel residuals = model.model();
    const std::size_t blocks = model.blocks.back() + 1;
    const auto drawn =
        bootstrap(options.bootstrap, options.seed, [&](Random& random) -> std::optional<std::vector<double>> {
            const std::vector<double> times = resample(blocks, random);
            std::vector<double> weights;
            for (const std::size_t block : model.blocks)
                weights.push_back(times[block]);
            weights.resize(weights.size() + 3, 1.0);  // the ties are no observations
            const auto minima = minimize_from_many(residuals, options.objective, weights, {best.at}, 1);
            if (minima.empty()) return std::nullopt;
            return model.report(minima.front().at);
        });
    std::vector<ScheduleLaw> laws;
    for (const auto& values : drawn)
        laws.push_back(law_of(values));
    return laws;
}

/// A fit without replicates: those draw blocks of points, not single ones.
ParametricFit fit_once(const ScheduleModel& model, FitOptions options, LawFit& fit) {
    if (options.intervals == Intervals::profile)
        fit.notes.push_back(
            "--intervals profile has no effect: neighbouring points do not scatter independently, and the "
            "intervals are those of blocks of them drawn again (--bootstrap)");
    options.bootstrap = 0;
    options.intervals = Intervals::bootstrap;
    return fit_parametric(parametric(model), options);
}

/// The law's parameters. C, beta and gamma have no interval: their spread is that of what they are tied to.
std::vector<Parameter> parameters_of(const ParametricFit& found, const std::vector<ScheduleLaw>& others,
                                     double widening) {
    constexpr std::size_t first_tied = 4;
    std::vector<std::vector<double>> spread;
    for (const ScheduleLaw& other : others)
        spread.push_back({other.L0, other.A, other.alpha, other.B, other.C, other.beta, other.gamma});
    std::vector<Parameter> parameters;
    for (std::size_t p = 0; p < names.size(); ++p)
        parameters.push_back({names[p], p < first_tied ? summarize(found.values[p], spread, p, widening)
                                                       : Estimate{found.values[p]}});
    return parameters;
}

Reason no_curve_to_fit(const std::string& left_out) {
    return {Refusal::no_curves,
            left_out.empty()
                ? "no curve to fit tells its steps, learning rates and losses (5 points with a rate above "
                  "zero are needed) name run=, step=, learning_rate= and loss= columns"
                : "no curve to fit is left: " + left_out};
}

/// What the law explains of each curve: of the `fitted` first ones, which it was fitted to, and of the
/// others.
void tell_curves(const ScheduleLaw& law, const std::vector<ScheduledCurve>& curves, std::size_t fitted,
                 bool asked_for_some, LawFit& fit) {
    Table table{"curves",
                "How much of each curve's variance the law explains",
                {{"run", "run", Quantity::text},
                 {"use", "", Quantity::text},
                 {"points", "points", Quantity::number},
                 {"r2", "R2", Quantity::loss},
                 {"mean_error", "mean error", Quantity::percent},
                 {"worst", "worst", Quantity::percent},
                 {"last", "at the end", Quantity::percent}},
                {}};
    double explained_out = 0;
    for (std::size_t c = 0; c < curves.size(); ++c) {
        const std::vector<double> predicted = curves[c].at_points(law.losses(curves[c].schedule));
        const auto count = static_cast<double>(predicted.size());
        double mean = 0, worst = 0;
        for (std::size_t i = 0; i < predicted.size(); ++i) {
            const double error = std::abs(predicted[i] / curves[c].loss[i] - 1);
            mean += error / count, worst = std::max(worst, error);
        }
        const double r2 = explained(curves[c].loss, predicted);
        if (c >= fitted) explained_out += r2 / static_cast<double>(curves.size() - fitted);
        table.rows.push_back({curves[c].name, c < fitted ? "fitted" : "held out", count, r2, mean, worst,
                              predicted.back() / curves[c].loss.back() - 1});
    }
    fit.tables.push_back(std::move(table));
    if (curves.size() > fitted)
        fit.derived.push_back({"held_out_R2", {explained_out}});
    else if (!asked_for_some)
        fit.notes.push_back(
            "every curve was fitted: hold some out with --hold-out RUN to see how well others "
            "are predicted");
}

/// Fitted to what the curves knew at 1/8, 1/4 and 1/2 of the longest one's steps, tried on all that came
/// later: a point of a curve depends on the learning rates before it alone.
std::vector<Cut> validate(const ScheduleModel& model, const FitOptions& options) {
    double longest = 0;
    for (const ScheduledCurve& curve : model.curves)
        longest = std::max(longest, curve.schedule.step.back());
    std::vector<double> part, losses;
    for (const auto& [c, i] : model.points) {
        const double octaves = std::floor(std::log2(longest / model.curves[c].step[i]) + 1e-9);
        part.push_back(longest * std::exp2(-std::clamp(octaves, 0.0, 3.0)));
        losses.push_back(model.curves[c].loss[i]);
    }
    const ResidualModel residuals = model.model();
    constexpr std::size_t minimized = 6;
    return expanding_window(
        part, losses, fewest_points, [&](std::span<const std::size_t> some) -> std::optional<Predictor> {
            std::vector<double> weights(model.points.size(), 0.0);
            std::vector<std::size_t> last(model.curves.size(), 0);
            for (const std::size_t p : some) {
                const auto& [c, i] = model.points[p];
                weights[p] = 1, last[c] = std::max(last[c], i);
            }
            std::vector<Schedule> known;
            bool falling = false;
            for (std::size_t c = 0; c < last.size(); ++c) {
                if (last[c] == 0) continue;
                Schedule schedule = model.curves[c].schedule;
                const std::size_t known_to = model.curves[c].place[last[c]] + 1;
                schedule.step.resize(known_to), schedule.learning_rate.resize(known_to);
                falling = falling || falls(schedule.learning_rate);
                known.push_back(std::move(schedule));
            }
            if (!falling || count_different(known) < 2) return std::nullopt;
            weights.resize(weights.size() + 3, 1.0);  // the ties
            const auto minima =
                minimize_from_many(residuals, options.objective, weights, model.starts(), minimized);
            if (minima.empty()) return std::nullopt;
            return [&model, evaluate = model.evaluation(minima.front().at)](std::size_t p) {
                const auto& [c, i] = model.points[p];
                return evaluate(model.curves[c].path, model.curves[c].place[i], {});
            };
        });
}

}  // namespace

Schedule Schedule::of(const Run& run) {
    Schedule schedule;
    const auto add = [&](double step, double rate) {
        schedule.step.push_back(step), schedule.learning_rate.push_back(rate);
    };
    if (run.rates.empty()) {
        for (const CurveSample& sample : run.curve)
            add(sample.step, sample.learning_rate);
        return schedule;
    }
    auto sample = run.curve.begin();
    for (const RateSample& rate : run.rates) {  // and the points of the curve that stand between them
        for (; sample != run.curve.end() && sample->step <= rate.step; ++sample)
            if (sample->step < rate.step) add(sample->step, sample->learning_rate);
        if (sample == run.curve.end() && rate.step > run.curve.back().step) break;
        add(rate.step, rate.learning_rate);
    }
    for (; sample != run.curve.end(); ++sample)
        add(sample->step, sample->learning_rate);
    return schedule;
}

double Schedule::peak() const {
    return *std::max_element(learning_rate.begin(), learning_rate.end());
}

std::size_t Schedule::warmed_up() const {
    const auto rises_no_more =
        std::adjacent_find(learning_rate.begin(), learning_rate.end(), std::greater_equal<>());
    return rises_no_more == learning_rate.end()
               ? learning_rate.size() - 1
               : static_cast<std::size_t>(rises_no_more - learning_rate.begin());
}

bool Schedule::changes_much(std::size_t i) const {
    const double change = std::abs(learning_rate[i] - learning_rate[i - 1]);
    // The last points of a decay to zero halve the rate each time, and hardly change it.
    return change > 0.25 * learning_rate[i - 1] && change > 0.05 * peak() && i > warmed_up();
}

bool Schedule::jumps_to(std::size_t i) const {
    if (!changes_much(i)) return false;
    // A decay changes the rate over several intervals, by amounts like one another: those of 1 - sqrt(x), the
    // most uneven, by at most 2.4 times as much as the next.
    constexpr double alone = 3;
    const auto change = [&](std::size_t k) { return std::abs(learning_rate[k] - learning_rate[k - 1]); };
    return (i < 2 || change(i) > alone * change(i - 1)) &&
           (i + 1 == learning_rate.size() || change(i) > alone * change(i + 1));
}

Schedule Schedule::constant(double peak, double warmup, double steps) {
    return {{warmup, steps}, {peak, peak}};
}

Schedule Schedule::cosine(double peak, double warmup, double steps, double last) {
    constexpr int points = 48;
    Schedule schedule;
    for (int k = 0; k <= points; ++k) {
        const double share = static_cast<double>(k) / points;
        schedule.step.push_back(warmup + share * (steps - warmup));
        schedule.learning_rate.push_back(peak *
                                         (last + (1 - last) * 0.5 * (1 + std::cos(std::acos(-1.0) * share))));
    }
    return schedule;
}

Schedule Schedule::linear_decay(double peak, double warmup, double steps, double from, double last) {
    constexpr int points = 32;
    Schedule schedule{{warmup}, {peak}};
    for (int k = 0; k <= points; ++k) {
        const double share = static_cast<double>(k) / points;
        schedule.step.push_back(std::max(from, warmup) + share * (steps - std::max(from, warmup)));
        schedule.learning_rate.push_back(peak * (1 - (1 - last) * share));
    }
    return schedule;
}

std::vector<double> ScheduleLaw::losses(const Schedule& schedule) const {
    const SchedulePath path(schedule, answer_resolution);
    const MultiPower evaluate{L0, A, alpha, B, std::log(C), beta, gamma, 1, 0};
    std::vector<double> values;
    for (std::size_t i = 0; i < path.sum.size(); ++i)
        values.push_back(evaluate(path, i, {}));
    return values;
}

double ScheduleLaw::final_loss(const Schedule& schedule) const {
    const SchedulePath path(schedule, answer_resolution);
    return MultiPower{L0, A, alpha, B, std::log(C), beta, gamma, 1, 0}(path, path.sum.size() - 1, {});
}

LawFit fit_schedule(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "schedule";
    fit.redrawn = "blocks of neighbouring points of the curves";
    fit.objective = to_string(options.objective);
    const auto [fitted, held, left_out] = of_one_kind(runs, options.hold_out, fit);
    if (fitted.empty()) {
        fit.refused = no_curve_to_fit(left_out);
        return fit;
    }
    std::vector<const Run*> chosen;
    for (const Run& run : fitted)
        chosen.push_back(&run);
    const ScheduleModel model(chosen);
    if ((fit.refused = too_few(model))) {
        if (!left_out.empty()) fit.refused->text += "; " + left_out;
        return fit;
    }
    const ParametricFit found = fit_once(model, options, fit);
    if (!tell_fit(found, fit)) return fit;
    const ScheduleLaw law = law_of(found.values);
    const double widening = case_widening(model.blocks.back() + 1, names.size());
    std::vector<ScheduleLaw> others;
    if (!fit.refused) others = replicates(model, options, found.minima.front());
    fit.parameters = parameters_of(found, others, widening);
    if (fit.refused) return fit;

    std::vector<ScheduledCurve> curves;
    for (const auto* list : {&fitted, &held})
        for (const Run& run : *list)
            curves.emplace_back(run, answer_resolution);
    tell_curves(law, curves, chosen.size(), !options.hold_out.empty(), fit);
    fit.tables.push_back(forecast_table(law, others, widening, curves));
    tell_validation(validate(model, options), {"step", "fitted up to step", Quantity::tokens}, "loss", fit);
    fit.notes.push_back(
        "C, beta and gamma are tied to usual ones, as few curves hardly determine them: they have no "
        "interval");
    fit.notes.push_back(
        "cosine: to a tenth of the peak at the last step; decay: held, then linearly to zero over "
        "the last fifth; a curve is taken to warm up linearly from zero to its first point");
    fit.figures.push_back(curves_figure(law, curves, chosen.size()));
    fit.figures.push_back(length_figure(law, others, widening, curves));
    return fit;
}

}  // namespace isogrid::analysis
