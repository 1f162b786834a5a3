// The critical batch size of McCandlish et al. 2018, a size and a target loss at a time, and its laws.
#include "analysis/laws/critical_batch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "analysis/fit/log_line.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t fewest_batches = 3, fewest_cells = 3;
constexpr double overhead = 0.2;  ///< of examples, beyond linear scaling
constexpr double vague = 0.7;     ///< a standard error of log Bcrit beyond a factor of two
constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// Runs that differ in their batch and reach one loss.
struct Sweep {
    double parameters = 0, loss = 0;
    std::string family;
    std::vector<double> log_batch, log_steps;
    std::vector<std::size_t> noise;  ///< which draw moves each: targets on one curve are moved together
    double noise_scale = none;       ///< median of those measured
    StepsLaw law;
    std::optional<Reason> refused;

    double error(double deviation) const { return deviation * std::sqrt(law.critical_variance); }
};

std::string describe(const Sweep& cell) {
    return format_quantity(cell.parameters, Quantity::parameters) + " parameters to loss " +
           format_significant(cell.loss, 5);
}

double median(std::vector<double> values) {
    if (values.empty()) return none;
    std::sort(values.begin(), values.end());
    return quantile(values, 0.5);
}

/// Cells of runs that say how many steps they took to a target: equal parameters and equal loss. Of runs that
/// share batch and seed (other learning rates, say) the one of fewest steps counts, as each batch is to be
/// judged at its best (Zhang et al. 2024, section 3).
std::vector<Sweep> cells_of_targets(const std::vector<Run>& runs) {
    using Key = std::tuple<double, double, std::string>;
    std::map<Key, std::map<std::pair<double, std::string>, double>> steps;
    std::map<Key, std::vector<double>> noise_scales;
    for (const Run& run : runs) {
        if (!run.batch || !run.steps) continue;
        const Key key{run.parameters, -run.loss, run.family};
        const auto [at, fresh] = steps[key].try_emplace({*run.batch, run.seed}, *run.steps);
        at->second = std::min(at->second, *run.steps);
        if (run.noise_scale) noise_scales[key].push_back(*run.noise_scale);
    }
    std::vector<Sweep> cells;
    std::size_t noise = 0;
    for (const auto& [key, points] : steps) {
        std::set<double> batches;
        for (const auto& [which, count] : points)
            batches.insert(which.first);
        if (batches.size() < fewest_batches) continue;
        Sweep cell{std::get<0>(key), -std::get<1>(key), std::get<2>(key), {}, {}, {}, none, {}, {}};
        for (const auto& [which, count] : points) {
            cell.log_batch.push_back(std::log(which.first));
            cell.log_steps.push_back(std::log(count));
            cell.noise.push_back(noise++);
        }
        cell.noise_scale = median(noise_scales[key]);
        cells.push_back(std::move(cell));
    }
    return cells;
}

/// Steps at which a curve first falls to the loss, linear in log steps between its points; NaN where it never
/// does, or where its first point already lies below.
double steps_to(const Run& run, double loss) {
    for (std::size_t i = 0; i < run.curve.size(); ++i) {
        const CurveSample& here = run.curve[i];
        if (here.loss > loss) continue;
        if (i == 0 || !(run.curve[i - 1].step > 0) || !(here.step > 0)) return none;
        const CurveSample& before = run.curve[i - 1];
        const double share = (before.loss - loss) / (before.loss - here.loss);
        return std::exp(std::log(before.step) + share * std::log(here.step / before.step));
    }
    return none;
}

double lowest_on_curve(const Run& run) {
    double lowest = std::numeric_limits<double>::infinity();
    for (const CurveSample& sample : run.curve)
        lowest = std::min(lowest, sample.loss);
    return lowest;
}

/// Targets of one size: the lowest loss that every batch reaches, and the losses that the run which needs the
/// fewest examples for it had after a half and a quarter of them.
std::vector<double> targets(const std::map<double, std::vector<const Run*>>& by_batch) {
    double hardest = 0;
    for (const auto& [batch, runs] : by_batch) {
        double lowest = std::numeric_limits<double>::infinity();
        for (const Run* run : runs)
            lowest = std::min(lowest, lowest_on_curve(*run));
        hardest = std::max(hardest, lowest);
    }
    const Run* cheapest = nullptr;
    double fewest = std::numeric_limits<double>::infinity();
    for (const auto& [batch, runs] : by_batch)
        for (const Run* run : runs)
            if (const double steps = steps_to(*run, hardest); steps * batch < fewest)
                fewest = steps * batch, cheapest = run;
    std::vector<double> losses = {hardest};
    for (const double share : {0.5, 0.25}) {
        if (cheapest == nullptr) break;
        const double step = share * fewest / *cheapest->batch;
        for (std::size_t i = 1; i < cheapest->curve.size(); ++i) {
            const CurveSample &before = cheapest->curve[i - 1], &here = cheapest->curve[i];
            if (!(before.step > 0) || here.step < step || before.step > step) continue;
            const double part = std::log(step / before.step) / std::log(here.step / before.step);
            const double loss = before.loss + part * (here.loss - before.loss);
            if (loss > losses.back() * 1.001) losses.push_back(loss);
            break;
        }
    }
    return losses;
}

/// A curve without its rises: neighbours that rise become their mean, until none does (isotonic regression by
/// pooling adjacent violators; Ayer et al. 1955). What is left of the noise does not make a target be met
/// early.
Run smoothed(Run run) {
    struct Pool {
        double loss = 0;
        std::size_t count = 0;
    };
    std::vector<Pool> pools;
    for (const CurveSample& sample : run.curve) {
        pools.push_back({sample.loss, 1});
        while (pools.size() > 1 && pools[pools.size() - 2].loss < pools.back().loss) {
            const Pool last = pools.back();
            pools.pop_back();
            Pool& pool = pools.back();
            const auto before = static_cast<double>(pool.count), more = static_cast<double>(last.count);
            pool = {(pool.loss * before + last.loss * more) / (before + more), pool.count + last.count};
        }
    }
    std::size_t at = 0;
    for (const Pool& pool : pools)
        for (std::size_t i = 0; i < pool.count; ++i)
            run.curve[at++].loss = pool.loss;
    return run;
}

/// Of each seed of a batch the fewest steps to a loss: the learning rate that suits it best.
std::vector<double> fewest_steps(const std::vector<const Run*>& tried, double loss) {
    std::map<std::string, double> by_seed;
    for (const Run* run : tried) {
        const double steps = steps_to(*run, loss);
        if (!std::isfinite(steps)) continue;
        const auto [at, fresh] = by_seed.try_emplace(run->seed, steps);
        at->second = std::min(at->second, steps);
    }
    std::vector<double> fewest;
    for (const auto& [seed, steps] : by_seed)
        fewest.push_back(steps);
    return fewest;
}

/// Cells of runs whose curves pass several losses: those asked for, or else such as all batches reach.
std::vector<Sweep> cells_of_curves(const std::vector<Run>& as_read, const std::vector<double>& asked_for) {
    std::vector<Run> runs;
    for (const Run& run : as_read)
        runs.push_back(smoothed(run));
    std::map<std::pair<double, std::string>, std::map<double, std::vector<const Run*>>> sizes;
    std::map<std::pair<double, std::string>, std::vector<double>> noise_scales;
    for (const Run& run : runs) {
        if (!run.batch || run.curve.size() < 3 || !std::isfinite(run.curve.back().step)) continue;
        sizes[{run.parameters, run.family}][*run.batch].push_back(&run);
        if (run.noise_scale) noise_scales[{run.parameters, run.family}].push_back(*run.noise_scale);
    }
    std::vector<Sweep> cells;
    std::size_t first_noise = 0;
    for (const auto& [size, by_batch] : sizes) {
        if (by_batch.size() < fewest_batches) continue;
        std::size_t most_noise = 0;
        for (const double loss : asked_for.empty() ? targets(by_batch) : asked_for) {
            Sweep cell{size.first, loss, size.second, {}, {}, {}, median(noise_scales[size]), {}, {}};
            std::size_t noise = first_noise;
            for (const auto& [batch, tried] : by_batch) {
                std::size_t repeat = 0;
                for (const double fewest : fewest_steps(tried, loss)) {
                    cell.log_batch.push_back(std::log(batch));
                    cell.log_steps.push_back(std::log(fewest));
                    cell.noise.push_back(noise + repeat++);
                }
                noise += tried.size();
            }
            most_noise = std::max(most_noise, noise);
            const std::set<double> reached(cell.log_batch.begin(), cell.log_batch.end());
            if (reached.size() >= fewest_batches) cells.push_back(std::move(cell));
        }
        first_noise = std::max(first_noise, most_noise);
    }
    return cells;
}

/// Residuals of log steps have one deviation in all cells.
struct Noise {
    double deviation = 0, freedom = 0;
};

Noise pooled_noise(const std::vector<Sweep>& cells) {
    Noise noise;
    double squares = 0;
    for (const Sweep& cell : cells) {
        squares += cell.law.squares;
        noise.freedom += static_cast<double>(cell.log_steps.size()) - 2;
    }
    noise.deviation = std::sqrt(squares / noise.freedom);
    return noise;
}

void judge(Sweep& cell, const Noise& noise) {
    const double low = std::exp(cell.log_batch.front()), high = std::exp(cell.log_batch.back());
    const auto refuse = [&](const std::string& what, const std::string& advice) {
        cell.refused = Reason{Refusal::unbounded, describe(cell) + ": " + what + " " + advice};
    };
    const bool above = cell.law.log_critical > 0.5 * (cell.log_batch.front() + cell.log_batch.back());
    const std::string tried = format_count(low) + " to " + format_count(high);
    if (cell.law.bend_seen && cell.error(noise.deviation) < vague) return;
    if (above)
        refuse("steps still fall in proportion to the batch (tried " + tried +
                   ": the critical batch lies above and has no upper limit)",
               "try larger batches");
    else
        refuse("steps hardly depend on the batch (tried " + tried +
                   ": the critical batch lies below and has no lower limit)",
               "try smaller batches");
}

/// What a critical batch may depend on.
struct Dependence {
    const char* key;
    const char* symbol;
    const char* title;
    Quantity quantity;
    double (*of)(const Sweep& cell);
};

constexpr std::array dependences = {
    Dependence{"parameters", "N", "parameters N", Quantity::parameters,
               [](const Sweep& cell) { return cell.parameters; }},
    Dependence{"examples", "Emin", "least examples to the loss, Emin", Quantity::tokens,
               [](const Sweep& cell) { return cell.law.examples_min(); }},
    Dependence{"loss", "L", "target loss (nats a token)", Quantity::loss,
               [](const Sweep& cell) { return cell.loss; }}};

/// A power law of the critical batch in one of these.
struct BatchLaw {
    const Dependence* in = nullptr;
    LogLine line;
    LogLine overhead_line;  ///< of the batch of 20% overhead
    double held_out = none;
    std::vector<Cut> cuts;
    double low = 0, high = 0;  ///< of what it depends on, in the cells
};

/// A cell's law in every replicate.
using Redrawn = std::vector<std::vector<StepsLaw>>;

Redrawn redraw(const std::vector<Sweep>& cells, const Noise& noise, const FitOptions& options) {
    std::size_t draws = 0;
    for (const Sweep& cell : cells)
        for (const std::size_t which : cell.noise)
            draws = std::max(draws, which + 1);
    const auto rows = bootstrap(options.bootstrap, options.seed, [&](Random& random) {
        const double deviation = noise.deviation * student_factor(noise.freedom);
        std::vector<double> moved(draws);
        for (double& move : moved)
            move = deviation * random.normal();
        std::vector<double> row;
        for (const Sweep& cell : cells) {
            std::vector<double> log_steps;
            for (std::size_t i = 0; i < cell.log_batch.size(); ++i)
                log_steps.push_back(std::log(cell.law.steps(std::exp(cell.log_batch[i]))) +
                                    moved[cell.noise[i]]);
            const StepsLaw law = fit_steps(cell.log_batch, log_steps);
            row.insert(row.end(), {law.log_steps_min, law.log_critical});
        }
        return std::optional(row);
    });
    Redrawn redrawn;
    for (const auto& row : rows) {
        redrawn.emplace_back();
        for (std::size_t c = 0; c < cells.size(); ++c)
            redrawn.back().push_back({row[2 * c], row[2 * c + 1]});
    }
    return redrawn;
}

Estimate estimate(const Sweep& cell, const Redrawn& redrawn, std::size_t which,
                  const std::function<double(const StepsLaw&)>& of) {
    std::vector<double> spread;
    for (const auto& laws : redrawn)
        spread.push_back(of(laws[which]));
    return summarize(of(cell.law), std::move(spread));
}

bool inside_batches(const Sweep& cell) {
    return cell.law.log_critical >= cell.log_batch.front() && cell.law.log_critical <= cell.log_batch.back();
}

/// Of several targets of one size, where the law is in the size, the lowest loss whose critical batch lies
/// inside the batches tried (if none does, the lowest): the others say nothing of the size.
std::vector<std::size_t> cells_for(const Dependence& in, const std::vector<Sweep>& cells) {
    std::map<double, std::size_t> best;
    std::vector<std::size_t> chosen;
    const auto better = [&](const Sweep& a, const Sweep& b) {
        if (inside_batches(a) != inside_batches(b)) return inside_batches(a);
        return a.loss < b.loss;
    };
    for (std::size_t c = 0; c < cells.size(); ++c) {
        if (std::string_view(in.key) != "parameters") {
            chosen.push_back(c);
            continue;
        }
        const auto [at, fresh] = best.try_emplace(cells[c].parameters, c);
        if (!fresh && better(cells[c], cells[at->second])) at->second = c;
    }
    for (const auto& [parameters, c] : best)
        chosen.push_back(c);
    return chosen;
}

/// Published laws let every critical batch count the same; so does this one, unless some are known ten times
/// worse (in variance) than others.
Weighting weighting_of(const std::vector<LinePoint>& points) {
    constexpr double alike = 10;
    double least = std::numeric_limits<double>::infinity(), most = 0;
    for (const LinePoint& point : points)
        least = std::min(least, point.variance), most = std::max(most, point.variance);
    return most > alike * least && least > 0 ? Weighting::error : Weighting::equal;
}

std::optional<BatchLaw> fit_law(const Dependence& in, const std::vector<Sweep>& cells, const Redrawn& redrawn,
                                const Noise& noise, const FitOptions& options) {
    const std::vector<std::size_t> chosen = cells_for(in, cells);
    BatchLaw law{&in, {}, {}, none, {}, std::numeric_limits<double>::infinity(), 0};
    std::vector<double> x, critical;
    std::vector<LinePoint> points, overhead_points;
    for (const std::size_t c : chosen) {
        const StepsLaw& steps = cells[c].law;
        x.push_back(in.of(cells[c]));
        critical.push_back(steps.critical());
        law.low = std::min(law.low, x.back()), law.high = std::max(law.high, x.back());
        const double batch = steps.overhead_batch(options.overhead_from);
        const double variance = std::pow(cells[c].error(noise.deviation), 2);
        const double share = overhead * steps.critical() / batch;  // d log batch / d log Bcrit
        points.push_back({{std::log(x.back())}, steps.log_critical, variance});
        overhead_points.push_back({{std::log(x.back())}, std::log(batch), share * share * variance});
    }
    if (chosen.size() < fewest_cells || !(law.high > law.low * 1.02)) return std::nullopt;
    std::vector<std::vector<double>> again, overhead_again;
    for (const auto& laws : redrawn) {
        again.emplace_back(), overhead_again.emplace_back();
        for (const std::size_t c : chosen) {
            again.back().push_back(laws[c].log_critical);
            overhead_again.back().push_back(std::log(laws[c].overhead_batch(options.overhead_from)));
        }
    }
    const Weighting weighting = weighting_of(points);
    law.line = fit_log_line(points, again, weighting, options);
    law.overhead_line = fit_log_line(overhead_points, overhead_again, weighting, options);
    law.cuts = expanding_window(
        x, critical, fewest_cells, [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
            std::vector<LinePoint> some;
            for (const std::size_t i : fitted)
                some.push_back(points[i]);
            FitOptions once;
            once.bootstrap = 0;
            const LogLine line = fit_log_line(some, {}, weighting, once);
            if (line.coefficients.empty()) return std::nullopt;
            return [line, &x](std::size_t i) { return std::exp(line.at(std::array{std::log(x[i])})); };
        });
    law.held_out = held_out_error(law.cuts);
    return law;
}

Table cell_table(const std::vector<Sweep>& cells, const std::vector<Sweep>& usable, const Redrawn& redrawn,
                 double reference) {
    Table table{"critical_batches",
                "Critical batch of each size and target loss",
                {{"parameters", "N", Quantity::parameters},
                 {"loss", "loss", Quantity::loss},
                 {"batches", "batches", Quantity::number},
                 {"steps_min", "Smin", Quantity::tokens},
                 {"examples_min", "Emin", Quantity::tokens},
                 {"critical_batch", "Bcrit", Quantity::tokens},
                 {"critical_batch_low", "from", Quantity::tokens},
                 {"critical_batch_high", "to", Quantity::tokens},
                 {"overhead_batch", "20% overhead", Quantity::tokens},
                 {"noise_scale", "noise scale", Quantity::tokens},
                 {"status", "status", Quantity::text}},
                {}};
    std::size_t place = 0;
    for (const Sweep& cell : cells) {
        const auto batches = static_cast<double>(cell.log_batch.size());
        if (cell.refused) {
            table.rows.push_back({cell.parameters, cell.loss, batches, none, none, none, none, none, none,
                                  cell.noise_scale, std::string(name(cell.refused->kind))});
            continue;
        }
        const Estimate critical =
            estimate(usable[place], redrawn, place, [](const StepsLaw& law) { return law.critical(); });
        ++place;
        table.rows.push_back({cell.parameters, cell.loss, batches, cell.law.steps_min(),
                              cell.law.examples_min(), critical.value, critical.low, critical.high,
                              cell.law.overhead_batch(reference), cell.noise_scale, std::string("ok")});
    }
    return table;
}

Table law_table(const std::vector<BatchLaw>& laws) {
    Table table{"laws",
                "Power laws of the critical batch",
                {{"in", "in", Quantity::text},
                 {"exponent", "exponent", Quantity::number},
                 {"exponent_low", "from", Quantity::number},
                 {"exponent_high", "to", Quantity::number},
                 {"deviation", "scatter", Quantity::percent},
                 {"held_out_error", "held-out error", Quantity::percent}},
                {}};
    for (const BatchLaw& law : laws) {
        const Estimate exponent = law.line.coefficient(1);
        table.rows.push_back({std::string(law.in->symbol), exponent.value, exponent.low, exponent.high,
                              law.line.deviation, law.held_out});
    }
    return table;
}

Figure steps_figure(const std::vector<Sweep>& cells) {
    Figure figure{"critical-batch-steps",
                  "Larger batches save steps up to the critical batch",
                  "Steps to the target loss against the batch, one colour a model size (and target). Lines "
                  "are S = Smin (1 + Bcrit / B); a diamond marks the critical batch, where twice the least "
                  "steps are needed. Broken: linear scaling, which the curves leave. Crosses belong to "
                  "cells without a usable critical batch.",
                  {"batch", Quantity::tokens, true},
                  {"steps to the target loss", Quantity::tokens, true},
                  {}};
    figure.legend = "N, loss";
    std::vector<Series> lines, points, marks;
    for (std::size_t c = 0; c < cells.size(); ++c) {
        const Sweep& cell = cells[c];
        const double shade =
            cells.size() > 1 ? static_cast<double>(c) / static_cast<double>(cells.size() - 1) : 0.5;
        Series measured{cells.size() > 12 ? std::string{}
                                          : format_quantity(cell.parameters, Quantity::parameters) + ", " +
                                                format_significant(cell.loss, 4),
                        cell.refused ? Mark::crosses : Mark::points,
                        shade,
                        0,
                        {},
                        {},
                        {}};
        for (std::size_t i = 0; i < cell.log_batch.size(); ++i) {
            measured.x.push_back(std::exp(cell.log_batch[i]));
            measured.y.push_back(std::exp(cell.log_steps[i]));
        }
        points.push_back(std::move(measured));
        if (cell.refused) continue;
        Series line{"", Mark::line, shade, 0, {}, {}, {}};
        Series linear{lines.empty() ? "linear scaling" : "", Mark::dashes, std::nullopt, 4, {}, {}, {}};
        const double from = cell.log_batch.front(), to = cell.log_batch.back();
        for (int step = 0; step <= 60; ++step) {
            const double batch = std::exp(from + (to - from) * step / 60);
            line.x.push_back(batch), line.y.push_back(cell.law.steps(batch));
            if (batch > 2 * cell.law.critical() || cells.size() > 6) continue;
            linear.x.push_back(batch), linear.y.push_back(cell.law.examples_min() / batch);
        }
        if (!linear.x.empty()) lines.push_back(std::move(linear));
        lines.push_back(std::move(line));
        marks.push_back(
            {"", Mark::diamonds, shade, 0, {cell.law.critical()}, {2 * cell.law.steps_min()}, {}});
    }
    for (const auto& group : {lines, points, marks})
        figure.series.insert(figure.series.end(), group.begin(), group.end());
    return figure;
}

Figure law_figure(const BatchLaw& law, const std::vector<Sweep>& cells, const Redrawn& redrawn,
                  double reference) {
    Figure figure{std::string("critical-batch-") + law.in->key,
                  "The critical batch grows with the model and its data",
                  "Critical batch of each cell with its 95% interval, its power law (line, with a 95% band), "
                  "and the batch at which 20% more examples are needed than under linear scaling from " +
                      (reference > 0 ? "a batch of " + format_count(reference) : "small batches") +
                      " (broken).",
                  {law.in->title, law.in->quantity, true},
                  {"batch", Quantity::tokens, true},
                  {}};
    if (std::string_view(law.in->key) == "loss") figure.title = "The critical batch grows as the loss falls";
    Series band{"", Mark::band, std::nullopt, 2, {}, {}, {}};
    Series line{"Bcrit = Emin / Smin", Mark::line, std::nullopt, 2, {}, {}, {}};
    Series cheap{"20% overhead", Mark::dashes, std::nullopt, 1, {}, {}, {}};
    for (int step = 0; step <= 60; ++step) {
        const std::array x = {std::log(law.low / 1.05) + std::log(1.1025 * law.high / law.low) * step / 60};
        const Estimate here = law.line.estimate(x);
        line.x.push_back(std::exp(x[0])), line.y.push_back(here.value);
        cheap.x.push_back(std::exp(x[0])), cheap.y.push_back(std::exp(law.overhead_line.at(x)));
        if (!std::isfinite(here.low)) continue;
        band.x.push_back(std::exp(x[0])), band.y.push_back(here.low), band.upper.push_back(here.high);
    }
    if (!band.x.empty()) figure.series.push_back(std::move(band));
    figure.series.push_back(std::move(line));
    figure.series.push_back(std::move(cheap));
    Series points{"", Mark::points, std::nullopt, 2, {}, {}, {}};
    Series overheads{"", Mark::points, std::nullopt, 1, {}, {}, {}};
    Series scales{"measured noise scale", Mark::rings, std::nullopt, 3, {}, {}, {}};
    for (const std::size_t c : cells_for(*law.in, cells)) {
        const double x = law.in->of(cells[c]);
        const Estimate critical =
            estimate(cells[c], redrawn, c, [](const StepsLaw& steps) { return steps.critical(); });
        if (std::isfinite(critical.low))
            figure.series.push_back(
                {"", Mark::line, std::nullopt, 2, {x, x}, {critical.low, critical.high}, {}});
        points.x.push_back(x), points.y.push_back(critical.value);
        overheads.x.push_back(x), overheads.y.push_back(cells[c].law.overhead_batch(reference));
        if (std::isfinite(cells[c].noise_scale))
            scales.x.push_back(x), scales.y.push_back(cells[c].noise_scale);
    }
    figure.series.push_back(std::move(points));
    figure.series.push_back(std::move(overheads));
    if (!scales.x.empty()) figure.series.push_back(std::move(scales));
    return figure;
}

void tell_laws(const std::vector<BatchLaw>& laws, LawFit& fit) {
    for (const BatchLaw& law : laws) {
        const std::string key = law.in->key;
        auto& where = key == "parameters" ? fit.parameters : fit.derived;
        if (key == "loss") {  // as Kaplan et al. write it
            std::vector<double> alphas;
            for (const auto& replicate : law.line.replicates)
                alphas.push_back(-1 / replicate[1]);
            where.push_back({"loss_coefficient", law.line.scale()});
            where.push_back({"alpha_B", summarize(-1 / law.line.coefficients[1], std::move(alphas))});
            continue;
        }
        const std::string prefix = key == "parameters" ? "" : key + "_";
        where.push_back({prefix + "coefficient", law.line.scale()});
        where.push_back({prefix + "exponent", law.line.coefficient(1)});
        if (key != "parameters") continue;
        where.push_back({"overhead_coefficient", law.overhead_line.scale()});
        where.push_back({"overhead_exponent", law.overhead_line.coefficient(1)});
    }
}

void tell_noise_scales(const std::vector<Sweep>& cells, LawFit& fit) {
    std::vector<double> ratios;
    for (const Sweep& cell : cells)
        if (std::isfinite(cell.noise_scale)) ratios.push_back(cell.law.critical() / cell.noise_scale);
    if (!ratios.empty())
        fit.notes.push_back("the critical batch is " + format_significant(median(ratios), 3) +
                            " times the measured gradient noise scale (median of " +
                            std::to_string(ratios.size()) +
                            " cells; McCandlish et al. 2018 expect a factor near 1)");
}

}  // namespace

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

LawFit fit_critical_batch(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "critical_batch";
    fit.objective = "squares of log steps";
    std::vector<Sweep> cells = cells_of_targets(runs.used);
    const bool from_curves = cells.empty();
    if (from_curves) cells = cells_of_curves(runs.used, runs.target_losses);
    if (cells.empty()) {
        fit.refused = Reason{Refusal::too_few_runs,
                             "no model size has three batches that reach one loss (steps to a target loss "
                             "must be known, or training curves with steps) run three batches or more"};
        return fit;
    }
    for (Sweep& cell : cells)
        cell.law = fit_steps(cell.log_batch, cell.log_steps);
    const Noise noise = pooled_noise(cells);
    std::vector<Sweep> usable;
    fit.objective_value = 0;
    for (Sweep& cell : cells) {
        judge(cell, noise);
        if (cell.refused)
            fit.warnings.push_back(*cell.refused);
        else
            usable.push_back(cell), fit.objective_value += cell.law.squares;
    }
    const Redrawn redrawn = redraw(usable, noise, options);
    fit.figures.push_back(steps_figure(cells));
    fit.tables.push_back(cell_table(cells, usable, redrawn, options.overhead_from));
    if (usable.empty()) {
        fit.refused = Reason{Refusal::unbounded, "0 of " + std::to_string(cells.size()) +
                                                     " cells show a critical batch (their batches all lie on "
                                                     "one side of it) see the warnings"};
        return fit;
    }
    std::vector<BatchLaw> laws;
    for (const Dependence& in : dependences)
        if (auto law = fit_law(in, usable, redrawn, noise, options)) laws.push_back(std::move(*law));
    tell_laws(laws, fit);
    if (laws.empty()) {
        for (std::size_t c = 0; c < usable.size() && usable.size() == 1; ++c)
            for (const auto& [label, of] : {std::pair{"steps_min", &StepsLaw::steps_min},
                                            {"examples_min", &StepsLaw::examples_min},
                                            {"critical_batch", &StepsLaw::critical}})
                fit.parameters.push_back({label, estimate(usable[c], redrawn, c, of)});
        fit.warnings.push_back({Refusal::too_few_runs,
                                std::to_string(usable.size()) +
                                    " cells show a critical batch (3 are needed for a law of it) add model "
                                    "sizes or target losses"});
        return fit;
    }
    fit.tables.push_back(law_table(laws));
    for (const BatchLaw& law : laws) {
        if (&law == &laws.front() && !law.cuts.empty())
            fit.tables.push_back(validation_table(law.cuts, {law.in->key, law.in->symbol, law.in->quantity},
                                                  "critical batch"));
        if (std::string_view(law.in->key) != "examples")
            fit.figures.push_back(law_figure(law, usable, redrawn, options.overhead_from));
        if (law.line.scattered)
            fit.notes.push_back("the critical batches scatter " +
                                format_significant(100 * law.line.deviation, 2) + "% about the law in " +
                                law.in->symbol +
                                ", more than the noise of the steps explains; its interval is that of the "
                                "scatter");
    }
    if (laws.size() > 1)
        fit.notes.push_back(
            "size, examples and loss move together in such runs: that the critical batch follows one of them "
            "does not show that it is the cause (Zhang et al. 2024 find the data behind it)");
    if (from_curves)
        fit.notes.push_back(
            "steps to each target are read off the training curves: the lowest loss that every batch "
            "reaches, and those after a half and a quarter of its examples. Under a decaying learning rate "
            "targets before the end are reached late");
    fit.notes.push_back(
        "batches are in the unit of the runs. At the critical batch twice the least examples and twice the "
        "least "
        "steps are needed; the batch of 20% overhead needs 20% more examples than linear scaling " +
        (options.overhead_from > 0
             ? "from a batch of " + format_count(options.overhead_from) + " would"
             : std::string("would (measure it from a given batch with --overhead-from)")));
    tell_noise_scales(usable, fit);
    for (const Sweep& cell : usable)
        if (!inside_batches(cell))
            fit.warnings.push_back(
                {Refusal::edge_minimum,
                 describe(cell) + ": the critical batch, " + format_count(cell.law.critical()) +
                     ", lies outside the batches tried (it hangs on a slight bend) try batches around it"});

    for (const BatchLaw& law : laws) {
        const std::string_view key = law.in->key;
        if (key == "parameters" || (key == "examples" && !fit.batch_at))
            fit.batch_at = [line = law.overhead_line, key](double parameters, double tokens) {
                return line.estimate(std::array{std::log(key == "parameters" ? parameters : tokens)});
            };
        if (key == "loss")
            fit.batch_at_loss = [line = law.overhead_line](double loss) {
                return line.estimate(std::array{std::log(loss)});
            };
    }
    return fit;
}

}  // namespace isogrid::analysis
