// Loss under any learning-rate schedule, learned from a few curves.
#include "analysis/laws/schedule.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "analysis/fit/parametric.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

/// A change of the learning rate: by how much it falls, to what, and how much was summed up before it.
struct Change {
    double fall = 0, log_rate = 0, sum = 0;
    std::size_t from = 0;  ///< the first point that it matters for
};

/// A schedule as the law sees it: the sum of learning rates at each point, and the changes. Small changes are
/// joined into one of at least 1 / `resolution` of the peak.
struct Path {
    std::vector<double> sum;
    std::vector<Change> changes;

    Path(const Schedule& schedule, double resolution) {
        const auto& step = schedule.step;
        const auto& rate = schedule.learning_rate;
        const double peak = *std::max_element(rate.begin(), rate.end());
        double total = 0.5 * step.front() * rate.front(), pending = 0, middle = 0;
        const int rungs = std::max(1, static_cast<int>(std::min(resolution, 8.0) * rate.front() / peak));
        for (int k = 0; k < rungs && step.front() > 0; ++k) {  // warm-up, in equal rises
            const double share = (k + 0.5) / rungs;
            changes.push_back({-rate.front() / rungs, std::log((k + 1.0) / rungs * rate.front()),
                               total * share * share, 0});
        }
        if (!(step.front() > 0)) changes.push_back({-rate.front(), std::log(rate.front()), 0, 0});
        sum.push_back(total);
        const auto turn = [&](double to, std::size_t at) {
            changes.push_back({pending, std::log(std::max(to, 1e-6 * peak)), middle / pending, at});
            pending = middle = 0;
        };
        for (std::size_t i = 1; i < step.size(); ++i) {
            const double fall = rate[i - 1] - rate[i], width = step[i] - step[i - 1];
            const bool jump = std::abs(fall) > 0.25 * rate[i - 1];
            const double before = total;
            total += width * (jump ? rate[i - 1] : 0.5 * (rate[i - 1] + rate[i]));
            if (pending != 0 && (jump || pending * fall < 0)) turn(rate[i - 1], i);
            pending += fall, middle += fall * (jump ? total : 0.5 * (before + total));
            if (pending != 0 && (jump || std::abs(pending) * resolution >= peak || i + 1 == step.size()))
                turn(rate[i], i);
            sum.push_back(total);
        }
    }
};

constexpr double fit_resolution = 20, answer_resolution = 400;
constexpr std::size_t fewest_points = 20;
constexpr double falls_to = 0.8;  ///< of its highest: a learning rate that falls

/// Loss at point `i`, and its derivatives by log L0, log A at the reference sum, log alpha, log B, log C, log
/// beta and gamma where `gradient` is not empty. Rates and sums are in units of `unit`, so that B is in nats.
struct Evaluation {
    double floor, a, alpha, b, log_c, beta, gamma, unit, log_reference;

    double operator()(const Path& path, std::size_t i, std::span<double> gradient) const {
        const double log_sum = std::log(path.sum[i]) - log_reference;
        const double power = a * std::exp(-alpha * log_sum);
        const double log_unit = std::log(unit);
        double drop = 0, by_c = 0, by_beta = 0, by_gamma = 0;
        for (const Change& change : path.changes) {
            if (change.from > i) break;
            const double since = path.sum[i] - change.sum;
            if (!(since > 0)) continue;
            const double log_rate = change.log_rate - log_unit;
            const double x = std::exp(log_c - gamma * log_rate) * since / unit;
            const double log_w = std::log1p(x), rest = std::exp(-beta * log_w), fall = change.fall / unit;
            drop += fall * (1 - rest);
            if (gradient.empty()) continue;
            const double slope = fall * beta * rest * x / (1 + x);
            by_c += slope, by_gamma -= slope * log_rate, by_beta += fall * beta * rest * log_w;
        }
        if (!gradient.empty()) {
            gradient[0] = floor, gradient[1] = power, gradient[2] = -alpha * log_sum * power;
            gradient[3] = -b * drop, gradient[4] = -b * by_c, gradient[5] = -b * by_beta;
            gradient[6] = -b * by_gamma;
        }
        return floor + power - b * drop;
    }
};

/// One curve as it is fitted.
struct Curve {
    std::string name;
    Schedule schedule;
    std::vector<double> loss;
    Path path;

    explicit Curve(const Run& run, double resolution)
        : name(run.name), schedule(Schedule::of(run.curve)), path(schedule, resolution) {
        for (const CurveSample& sample : run.curve)
            loss.push_back(sample.loss);
    }
};

/// The curves' points that are fitted, and the law in the coordinates of the optimizer.
struct Model {
    std::vector<Curve> curves;
    std::vector<std::pair<std::size_t, std::size_t>> points;  ///< curve, place on it
    std::vector<std::size_t> blocks;  ///< neighbours, which do not scatter independently, share a number
    double unit = 0, log_reference = 0;

    explicit Model(const std::vector<const Run*>& runs) {
        constexpr std::size_t most = 160, together = 3;
        std::size_t all = 0;
        for (const Run* run : runs) {
            curves.emplace_back(*run, fit_resolution);
            all += run->curve.size();
            unit = std::max(unit, *std::max_element(curves.back().schedule.learning_rate.begin(),
                                                    curves.back().schedule.learning_rate.end()));
        }
        const std::size_t stride = std::max<std::size_t>(1, (all + most - 1) / most);
        std::size_t block = 0;
        for (std::size_t c = 0; c < curves.size(); ++c, ++block)
            for (std::size_t i = 0, n = 0; i < curves[c].loss.size(); i += stride, ++n) {
                if (!(curves[c].path.sum[i] > 0)) continue;
                if (n > 0 && n % together == 0) ++block;
                points.emplace_back(c, i), blocks.push_back(block);
                log_reference += std::log(curves[c].path.sum[i]);
            }
        log_reference /= static_cast<double>(std::max<std::size_t>(points.size(), 1));
    }

    Evaluation evaluation(std::span<const double> at) const {
        return {std::exp(at[0]), std::exp(at[1]), std::exp(at[2]), std::exp(at[3]),
                at[4],           std::exp(at[5]), at[6],           unit,
                log_reference};
    }

    /// C, beta and gamma are hardly told apart by few curves: the objective falls a little all the way to
    /// absurd ones, which predict other curves worse. So log C, log beta and gamma are tied to those of the
    /// simplest form, x / (1 + x) with x = S / sqrt(eta), as weakly as by one point each of so large a
    /// scatter.
    static constexpr double tie = 0.01, usual_gamma = 0.5;
    double tied(std::span<const double> at, std::size_t which, std::span<double> gradient) const {
        std::fill(gradient.begin(), gradient.end(), 0.0);
        const double log_unit = std::log(unit);
        if (which == 0) {
            if (!gradient.empty()) gradient[4] = tie, gradient[6] = tie * log_unit;
            return tie * (at[4] + (at[6] - 1) * log_unit);
        }
        if (!gradient.empty()) gradient[which + 4] = tie;
        return tie * (which == 1 ? at[5] : at[6] - usual_gamma);
    }

    ResidualModel model() const {
        return {7, points.size() + 3,
                [this](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                    if (i >= points.size()) return tied(at, i - points.size(), gradient);
                    const auto& [c, place] = points[i];
                    const double predicted = evaluation(at)(curves[c].path, place, gradient);
                    for (double& slope : gradient)
                        slope /= predicted;
                    return predicted > 0 ? std::log(predicted / curves[c].loss[place])
                                         : std::numeric_limits<double>::quiet_NaN();
                }};
    }

    /// L0, A, alpha, B, C, beta, gamma in the units of the curves.
    std::vector<double> report(std::span<const double> at) const {
        const double alpha = std::exp(at[2]), gamma = at[6];
        return {std::exp(at[0]),
                std::exp(at[1] + alpha * log_reference),
                alpha,
                std::exp(at[3]) / unit,
                std::exp(at[4] + (gamma - 1) * std::log(unit)),
                std::exp(at[5]),
                gamma};
    }

    std::vector<std::vector<double>> starts() const {
        double lowest = std::numeric_limits<double>::infinity(), highest = 0;
        for (const auto& [c, i] : points)
            lowest = std::min(lowest, curves[c].loss[i]), highest = std::max(highest, curves[c].loss[i]);
        const double range = std::max(highest - lowest, 1e-6);
        std::vector<std::vector<double>> grid;
        for (const double under : {0.1, 0.5, 1.0})
            for (const double alpha : {0.3, 0.6})
                for (const double drop : {0.05, 0.2})
                    for (const double reach : {0.003, 0.03, 0.3})
                        for (const double beta : {0.3, 0.7})
                            for (const double gamma : {0.3, 0.8})
                                grid.push_back({std::log(std::max(lowest - under * range, 0.1 * lowest)),
                                                std::log(0.5 * range), std::log(alpha),
                                                std::log(drop * range), std::log(reach), std::log(beta),
                                                gamma});
        return grid;
    }
};

ScheduleLaw law_of(std::span<const double> v) {
    return {v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
}

const std::array<const char*, 7> names = {"L0", "A", "alpha", "B", "C", "beta", "gamma"};

std::optional<Reason> too_few(const Model& model) {
    std::size_t changing = 0, different = 0;
    for (const Curve& curve : model.curves) {
        const auto [low, high] =
            std::minmax_element(curve.schedule.learning_rate.begin(), curve.schedule.learning_rate.end());
        if (*low < falls_to * *high) ++changing;
    }
    different = model.curves.size() > 1 ? model.curves.size() : 0;
    if (model.points.size() >= fewest_points && changing > 0 && different > 1) return std::nullopt;
    return Reason{Refusal::too_few_runs,
                  std::to_string(model.curves.size()) + " curves of " + std::to_string(model.points.size()) +
                      " points, " + std::to_string(changing) +
                      " of them with a falling learning rate (2 curves, 20 points and one that falls are "
                      "needed for 7 parameters) add a curve with another schedule"};
}

/// The curves of one size: the law has no size in it. Those of the most common one.
std::vector<const Run*> of_one_size(const Runs& runs, LawFit& fit) {
    std::map<double, std::vector<const Run*>> sizes;
    for (const Run& run : runs.used) {
        const bool known = run.curve.size() >= 5 &&
                           std::all_of(run.curve.begin(), run.curve.end(),
                                       [](const CurveSample& sample) {
                                           return std::isfinite(sample.step) &&
                                                  std::isfinite(sample.learning_rate) && sample.loss > 0;
                                       }) &&
                           run.curve.front().learning_rate > 0;
        if (known) sizes[run.parameters].push_back(&run);
    }
    const auto most = std::max_element(sizes.begin(), sizes.end(), [](const auto& a, const auto& b) {
        return a.second.size() < b.second.size();
    });
    if (most == sizes.end()) return {};
    if (sizes.size() > 1)
        fit.notes.push_back("only the " + std::to_string(most->second.size()) + " curves of " +
                            format_count(most->first) +
                            " parameters are fitted: the law is of one size (choose another with --where)");
    return most->second;
}

/// The law of resampled blocks of neighbouring points.
std::vector<ScheduleLaw> replicates(const Model& model, const FitOptions& options, const Minimum& best) {
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

/// Fitted to what the curves knew at 1/8, 1/4 and 1/2 of the longest one's steps, tried on all that came
/// later: a point of a curve depends on the learning rates before it alone.
std::vector<Cut> validate(const Model& model, const FitOptions& options) {
    double longest = 0;
    for (const Curve& curve : model.curves)
        longest = std::max(longest, curve.schedule.step.back());
    std::vector<double> part, losses;
    for (const auto& [c, i] : model.points) {
        const double octaves = std::floor(std::log2(longest / model.curves[c].schedule.step[i]) + 1e-9);
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
            std::size_t curves = 0, falling = 0;
            for (std::size_t c = 0; c < last.size(); ++c) {
                const auto& rates = model.curves[c].schedule.learning_rate;
                const auto [low, high] = std::minmax_element(
                    rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(last[c]) + 1);
                curves += last[c] > 0, falling += *low < falls_to * *high;
            }
            if (curves < 2 || falling == 0) return std::nullopt;
            weights.resize(weights.size() + 3, 1.0);  // the ties
            const auto minima =
                minimize_from_many(residuals, options.objective, weights, model.starts(), minimized);
            if (minima.empty()) return std::nullopt;
            return [&model, evaluate = model.evaluation(minima.front().at)](std::size_t p) {
                const auto& [c, i] = model.points[p];
                return evaluate(model.curves[c].path, i, {});
            };
        });
}

double warmup_of(const Schedule& schedule) {
    return schedule.step.front();
}

/// What a run's last step would have come to under other schedules.
Table forecast_table(const ScheduleLaw& law, const std::vector<ScheduleLaw>& others, double widening,
                     const std::vector<Curve>& curves) {
    Table table{"forecasts",
                "Loss at the last step of each run, had its learning rate been",
                {{"run", "run", Quantity::text},
                 {"step", "step", Quantity::number},
                 {"measured", "measured", Quantity::loss},
                 {"law", "law", Quantity::loss},
                 {"constant", "constant", Quantity::loss},
                 {"cosine", "cosine", Quantity::loss},
                 {"cosine_error", "+/-", Quantity::loss},
                 {"decay", "decay", Quantity::loss},
                 {"decay_error", "+/-", Quantity::loss}},
                {}};
    for (const Curve& curve : curves) {
        const double peak =
            *std::max_element(curve.schedule.learning_rate.begin(), curve.schedule.learning_rate.end());
        const double warmup = warmup_of(curve.schedule), last = curve.schedule.step.back();
        const Schedule cosine = Schedule::cosine(peak, warmup, last, 0.1);
        const Schedule decay = Schedule::linear_decay(peak, warmup, last, 0.8 * last, 0);
        const auto half = [&](const Schedule& schedule) {
            std::vector<double> spread;
            for (const ScheduleLaw& other : others)
                spread.push_back(other.final_loss(schedule));
            const Estimate estimate = summarize(law.final_loss(schedule), std::move(spread), widening);
            return 0.5 * (estimate.high - estimate.low);
        };
        table.rows.push_back({curve.name, last, curve.loss.back(), law.final_loss(curve.schedule),
                              law.final_loss(Schedule::constant(peak, warmup, last)), law.final_loss(cosine),
                              half(cosine), law.final_loss(decay), half(decay)});
    }
    return table;
}

Figure curves_figure(const ScheduleLaw& law, const std::vector<Curve>& curves, std::size_t fitted) {
    Figure figure{"schedule-curves",
                  "Loss under each learning-rate schedule, and the law",
                  "Dots: measured. Lines: the law, broken where a curve was held out of the fit.",
                  {"step", Quantity::number, false},
                  {"loss (nats per token)", Quantity::loss, false},
                  {},
                  "curve"};
    for (std::size_t c = 0; c < curves.size(); ++c) {
        const Curve& curve = curves[c];
        const double shade =
            curves.size() > 1 ? static_cast<double>(c) / static_cast<double>(curves.size() - 1) : 0.5;
        Series dots{"", Mark::dots, shade, 0, {}, {}, {}};
        const std::size_t stride = std::max<std::size_t>(1, curve.loss.size() / 60);
        for (std::size_t i = 0; i < curve.loss.size(); i += stride)
            dots.x.push_back(curve.schedule.step[i]), dots.y.push_back(curve.loss[i]);
        figure.series.push_back(std::move(dots));
        figure.series.push_back({curve.name,
                                 c < fitted ? Mark::line : Mark::dashes,
                                 shade,
                                 0,
                                 curve.schedule.step,
                                 law.losses(curve.schedule),
                                 {}});
    }
    return figure;
}

Figure length_figure(const ScheduleLaw& law, const std::vector<ScheduleLaw>& others, double widening,
                     const std::vector<Curve>& curves) {
    Figure figure{
        "schedule-lengths",
        "The final loss of runs of every length, from the fitted curves alone",
        "What the law expects at the end of a run of so many steps, with its 95% interval: held at the "
        "peak, by a cosine to a tenth, held and brought to zero over the last fifth.",
        {"steps", Quantity::number, true},
        {"final loss (nats per token)", Quantity::loss, false},
        {}};
    double longest = 0, peak = 0, warmup = 0;
    for (const Curve& curve : curves) {
        longest = std::max(longest, curve.schedule.step.back());
        peak = std::max(peak, *std::max_element(curve.schedule.learning_rate.begin(),
                                                curve.schedule.learning_rate.end()));
        warmup = std::max(warmup, warmup_of(curve.schedule));
    }
    const double shortest = std::max(0.1 * longest, 2 * warmup);
    struct Kind {
        const char* label;
        int ink;
        std::function<Schedule(double)> make;
    };
    const std::array<Kind, 3> kinds = {
        Kind{"constant", 4, [&](double steps) { return Schedule::constant(peak, warmup, steps); }},
        Kind{"cosine to a tenth", 2,
             [&](double steps) { return Schedule::cosine(peak, warmup, steps, 0.1); }},
        Kind{"decay over the last fifth", 1,
             [&](double steps) { return Schedule::linear_decay(peak, warmup, steps, 0.8 * steps, 0); }}};
    for (const Kind& kind : kinds) {
        Series line{kind.label, Mark::line, std::nullopt, kind.ink, {}, {}, {}};
        Series band{"", Mark::band, std::nullopt, kind.ink, {}, {}, {}};
        for (int k = 0; k <= 16; ++k) {
            const double steps = shortest * std::pow(2 * longest / shortest, k / 16.0);
            const Schedule schedule = kind.make(steps);
            std::vector<double> spread;
            for (std::size_t r = 0; r < std::min<std::size_t>(others.size(), 200); ++r)
                spread.push_back(others[r].final_loss(schedule));
            const Estimate loss = summarize(law.final_loss(schedule), std::move(spread), widening);
            line.x.push_back(steps), line.y.push_back(loss.value);
            if (std::isfinite(loss.low))
                band.x.push_back(steps), band.y.push_back(loss.low), band.upper.push_back(loss.high);
        }
        if (!band.x.empty()) figure.series.push_back(std::move(band));
        figure.series.push_back(std::move(line));
    }
    return figure;
}

}  // namespace

Schedule Schedule::of(const std::vector<CurveSample>& curve) {
    Schedule schedule;
    for (const CurveSample& sample : curve)
        schedule.step.push_back(sample.step), schedule.learning_rate.push_back(sample.learning_rate);
    return schedule;
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
    const Path path(schedule, answer_resolution);
    const Evaluation evaluate{L0, A, alpha, B, std::log(C), beta, gamma, 1, 0};
    std::vector<double> values;
    for (std::size_t i = 0; i < path.sum.size(); ++i)
        values.push_back(evaluate(path, i, {}));
    return values;
}

double ScheduleLaw::final_loss(const Schedule& schedule) const {
    const Path path(schedule, answer_resolution);
    return Evaluation{L0, A, alpha, B, std::log(C), beta, gamma, 1, 0}(path, path.sum.size() - 1, {});
}

double explained(std::span<const double> observed, std::span<const double> predicted) {
    double mean = 0, total = 0, left = 0;
    for (const double y : observed)
        mean += y / static_cast<double>(observed.size());
    for (std::size_t i = 0; i < observed.size(); ++i) {
        total += (observed[i] - mean) * (observed[i] - mean);
        left += (observed[i] - predicted[i]) * (observed[i] - predicted[i]);
    }
    return 1 - left / total;
}

LawFit fit_schedule(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "schedule";
    fit.objective = to_string(options.objective);
    const std::vector<const Run*> all = of_one_size(runs, fit);
    std::vector<const Run*> chosen, held;
    for (const Run* run : all) {
        const bool out =
            std::find(options.hold_out.begin(), options.hold_out.end(), run->name) != options.hold_out.end();
        (out ? held : chosen).push_back(run);
    }
    if (chosen.empty()) {
        fit.refused =
            Reason{Refusal::no_curves,
                   "no curve tells its steps, learning rates and losses (5 points and a rate above zero "
                   "at the first are needed) name run=, step=, learning_rate= and loss= columns"};
        return fit;
    }
    const Model model(chosen);
    if ((fit.refused = too_few(model))) return fit;

    FitOptions point = options;
    point.bootstrap = 0;
    const ParametricFit found =
        fit_parametric({.model = model.model(),
                        .parameters = {{"L0", 1e-3, std::numeric_limits<double>::infinity(), /*soft=*/true},
                                       {"A"},
                                       {"alpha", 0.01, 5},
                                       {"B"},
                                       {"C"},
                                       {"beta", 1e-3, 20, /*soft=*/true},
                                       {"gamma", -2, 5, /*soft=*/true}},
                        .report = [&](std::span<const double> at) { return model.report(at); },
                        .starts = model.starts(),
                        .minimized_starts = 12},
                       point);
    fit.refused = found.refused;
    fit.warnings = found.warnings;
    fit.notes.insert(fit.notes.end(), found.notes.begin(), found.notes.end());
    if (found.minima.empty()) return fit;
    fit.objective_value = found.minima.front().value;
    const ScheduleLaw law = law_of(found.values);
    const double widening = case_widening(model.blocks.back() + 1, names.size());
    std::vector<ScheduleLaw> others;
    if (!fit.refused) others = replicates(model, options, found.minima.front());
    std::vector<std::vector<double>> spread;
    for (const ScheduleLaw& other : others)
        spread.push_back({other.L0, other.A, other.alpha, other.B, other.C, other.beta, other.gamma});
    constexpr std::size_t first_tied =
        4;  // C, beta and gamma: their spread is the tie's, no interval of theirs
    for (std::size_t p = 0; p < names.size(); ++p)
        fit.parameters.push_back({names[p], p < first_tied ? summarize(found.values[p], spread, p, widening)
                                                           : Estimate{found.values[p]}});
    if (fit.refused) return fit;

    std::vector<Curve> curves;
    for (const auto* list : {&chosen, &held})
        for (const Run* run : *list)
            curves.emplace_back(*run, answer_resolution);
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
        const std::vector<double> predicted = law.losses(curves[c].schedule);
        const auto count = static_cast<double>(predicted.size());
        double mean = 0, worst = 0;
        for (std::size_t i = 0; i < predicted.size(); ++i) {
            const double error = std::abs(predicted[i] / curves[c].loss[i] - 1);
            mean += error / count, worst = std::max(worst, error);
        }
        const double r2 = explained(curves[c].loss, predicted);
        if (c >= chosen.size()) explained_out += r2 / static_cast<double>(held.size());
        table.rows.push_back({curves[c].name, c < chosen.size() ? "fitted" : "held out", count, r2, mean,
                              worst, predicted.back() / curves[c].loss.back() - 1});
    }
    fit.tables.push_back(std::move(table));
    if (!held.empty())
        fit.derived.push_back({"held_out_R2", {explained_out}});
    else
        fit.notes.push_back(
            "every curve was fitted: hold some out with --hold-out RUN to see how well others "
            "are predicted");
    fit.tables.push_back(forecast_table(law, others, widening, curves));
    if (const auto cuts = validate(model, options); !cuts.empty())
        fit.tables.push_back(validation_table(cuts, {"step", "fitted up to step", Quantity::number}, "loss"));
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
