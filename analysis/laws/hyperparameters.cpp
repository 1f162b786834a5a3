// The learning rate and the batch that suit a size and an amount of data, from sweeps.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "analysis/fit/validation.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/sweep.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t most_labels = 12;

/// What the optimum of one knob may depend on.
struct Regressor {
    const char* key;     ///< `parameters_exponent`
    const char* symbol;  ///< N
    const char* title;
    Quantity quantity;
    double (*of)(const Sweep& sweep);
};

constexpr Regressor in_parameters{"parameters", "N", "parameters N", Quantity::parameters,
                                  [](const Sweep& sweep) { return sweep.parameters; }};
constexpr Regressor in_tokens{"tokens", "D", "tokens D", Quantity::tokens,
                              [](const Sweep& sweep) { return sweep.tokens; }};
constexpr Regressor in_loss{"loss", "L", "loss (nats a token)", Quantity::loss,
                            [](const Sweep& sweep) { return std::exp(sweep.bowl.minimum); }};

/// A sweep with an optimum, and its place in the list of all.
struct Usable {
    const Sweep* sweep;
    std::size_t which;
};

/// The power law of one knob's optimum.
struct KnobLaw {
    std::string name;  ///< `learning_rate`
    std::vector<Regressor> in;
    std::vector<Usable> sweeps;
    LogLine line;
    bool batch = false;  ///< else the learning rate
};

std::size_t knob_of(const Sweep& sweep, bool batch) {
    return batch ? sweep.batch_knob() : sweep.learning_rate_knob();
}

std::vector<double> place_of(const std::vector<Regressor>& in, const Sweep& sweep) {
    std::vector<double> x;
    for (const Regressor& regressor : in)
        x.push_back(std::log(regressor.of(sweep)));
    return x;
}

/// Correlation of log N and log D over the sweeps; 1 where one of them does not vary.
double correlation(const std::vector<Usable>& sweeps) {
    double n = 0, d = 0, nn = 0, dd = 0, nd = 0;
    const auto count = static_cast<double>(sweeps.size());
    for (const Usable& usable : sweeps) {
        n += std::log(usable.sweep->parameters) / count;
        d += std::log(usable.sweep->tokens) / count;
    }
    for (const Usable& usable : sweeps) {
        const double a = std::log(usable.sweep->parameters) - n, b = std::log(usable.sweep->tokens) - d;
        nn += a * a, dd += b * b, nd += a * b;
    }
    return nn * dd > 0 ? std::abs(nd) / std::sqrt(nn * dd) : 1;
}

std::size_t different(const std::vector<Usable>& sweeps, const Regressor& in) {
    std::set<long long> values;  // to 1%
    for (const Usable& usable : sweeps)
        values.insert(std::llround(100 * std::log(std::max(in.of(*usable.sweep), 1e-300))));
    return values.size();
}

/// What the law of these sweeps can be in; a warning where size and data moved together.
std::vector<Regressor> choose_regressors(const std::vector<Usable>& sweeps, const std::string& what,
                                         LawFit& fit) {
    const std::size_t sizes = different(sweeps, in_parameters), amounts = different(sweeps, in_tokens);
    const bool known = sweeps.front().sweep->parameters > 0 && sweeps.front().sweep->tokens > 0;
    if (sweeps.size() < 3) return {};
    if (known && sizes >= 2 && amounts >= 2 && sweeps.size() >= 4) {
        if (correlation(sweeps) < 0.98) return {in_parameters, in_tokens};
        fit.warnings.push_back({Refusal::not_separable,
                                "size and data grew together (correlation of their logarithms " +
                                    format_significant(correlation(sweeps), 3) + "): the law of the " + what +
                                    " is in the size alone; vary the data at one size to tell them apart"});
    }
    if (sizes >= 3) return {in_parameters};
    if (amounts >= 3 && sweeps.front().sweep->tokens > 0) return {in_tokens};
    return {};
}

std::vector<LinePoint> points_of(const KnobLaw& law, const SweepNoise& noise) {
    std::vector<LinePoint> points;
    for (const Usable& usable : law.sweeps) {
        const std::size_t knob = knob_of(*usable.sweep, law.batch);
        const Bowl& bowl = usable.sweep->bowl;
        points.push_back({place_of(law.in, *usable.sweep), bowl.vertex[knob],
                          noise.deviation * noise.deviation * bowl.vertex_variance[knob]});
    }
    return points;
}

void fit_line(KnobLaw& law, const SweepNoise& noise, const std::vector<std::vector<Bowl>>& redrawn,
              const FitOptions& options) {
    std::vector<std::vector<double>> again;
    for (const auto& bowls : redrawn) {
        again.emplace_back();
        for (const Usable& usable : law.sweeps) {
            const Bowl& bowl = bowls[usable.which];
            again.back().push_back(bowl.refused ? none : bowl.vertex[knob_of(*usable.sweep, law.batch)]);
        }
    }
    law.line = fit_log_line(points_of(law, noise), again, Weighting::error, options);
}

Table validation(const KnobLaw& law, const SweepNoise& noise) {
    std::vector<double> scale, observed;
    for (const Usable& usable : law.sweeps) {
        const Sweep& sweep = *usable.sweep;
        scale.push_back(law.in.size() > 1 ? 6 * sweep.parameters * sweep.tokens : law.in.front().of(sweep));
        observed.push_back(std::exp(sweep.bowl.vertex[knob_of(sweep, law.batch)]));
    }
    const std::vector<LinePoint> points = points_of(law, noise);
    const auto cuts =
        expanding_window(scale, observed, law.in.size() + 2,
                         [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
                             std::vector<LinePoint> some;
                             for (const std::size_t i : fitted)
                                 some.push_back(points[i]);
                             FitOptions once;
                             once.bootstrap = 0;
                             const LogLine line = fit_log_line(some, {}, Weighting::error, once);
                             if (line.coefficients.empty()) return std::nullopt;
                             return [line, &points](std::size_t i) { return std::exp(line.at(points[i].x)); };
                         });
    const Regressor& in = law.in.front();
    Table table = validation_table(cuts,
                                   law.in.size() > 1 ? Column{"flops", "6 N D", Quantity::flops}
                                                     : Column{in.key, in.symbol, in.quantity},
                                   law.batch ? "batch" : "learning rate");
    if (law.batch) table.key += "_batch";
    return table;
}

/// Sweeps of several parametrizations or families.
bool several_kinds(const std::vector<Sweep>& sweeps) {
    return std::any_of(sweeps.begin(), sweeps.end(), [&](const Sweep& sweep) {
        return sweep.parametrization != sweeps.front().parametrization;
    });
}

Table sweep_table(const std::vector<Sweep>& sweeps, const std::vector<std::vector<Bowl>>& redrawn) {
    Table table{"sweeps",
                "Best learning rate and batch of each size and amount of data",
                {{"parameters", "N", Quantity::parameters},
                 {"tokens", "D", Quantity::tokens},
                 {"points", "points", Quantity::number},
                 {"diverged", "diverged", Quantity::number},
                 {"learning_rate", "learning rate", Quantity::number},
                 {"learning_rate_low", "from", Quantity::number},
                 {"learning_rate_high", "to", Quantity::number},
                 {"batch", "batch", Quantity::tokens},
                 {"batch_low", "from", Quantity::tokens},
                 {"batch_high", "to", Quantity::tokens},
                 {"loss", "loss", Quantity::loss},
                 {"status", "status", Quantity::text}},
                {}};
    for (std::size_t s = 0; s < sweeps.size(); ++s) {
        const Sweep& sweep = sweeps[s];
        Estimate rate, batch;
        if (!sweep.bowl.refused && sweep.learning_rate_swept) rate = best_value(sweep, s, 0, redrawn);
        if (!sweep.bowl.refused && sweep.batch_swept)
            batch = best_value(sweep, s, sweep.batch_knob(), redrawn);
        else if (!sweep.bowl.refused && sweep.batch > 0)
            batch.value = sweep.batch;
        table.rows.push_back({sweep.parameters, sweep.tokens, static_cast<double>(sweep.places.size()),
                              static_cast<double>(sweep.bowl.absurd.size()), rate.value, rate.low, rate.high,
                              batch.value, batch.low, batch.high,
                              sweep.bowl.refused ? none : std::exp(sweep.bowl.minimum),
                              std::string(sweep.bowl.refused ? name(*sweep.bowl.refused) : "ok")});
    }
    if (!several_kinds(sweeps)) return table;
    table.columns.insert(table.columns.begin(), {"parametrization", "kind", Quantity::text});
    for (std::size_t s = 0; s < sweeps.size(); ++s)
        table.rows[s].insert(table.rows[s].begin(), sweeps[s].parametrization);
    return table;
}

std::string axis_title(bool batch) {
    return batch ? "batch" : "peak learning rate";
}

Figure bowls_figure(const std::vector<Sweep>& sweeps, bool batch) {
    Figure figure{
        batch ? "hyperparameters-batch-sweeps" : "hyperparameters-sweeps",
        batch ? "Each size has a best batch" : "Each size has a best learning rate",
        std::string("Final loss against the ") + (batch ? "batch" : "learning rate") +
            ", one colour a size and amount of data; where both learning rate and batch were swept, "
            "each at the best of the other. Lines are quadratics in the logarithms through the filled "
            "points, a diamond marks their minimum. Rings lie too far from it; crosses belong to sweeps "
            "without a usable minimum. Losses far above the curves are not shown.",
        {axis_title(batch), batch ? Quantity::tokens : Quantity::number, true},
        {"validation loss (nats a token)", Quantity::loss, false},
        {}};
    figure.legend = "N, D";
    std::vector<const Sweep*> shown;
    for (const Sweep& sweep : sweeps)
        if (batch ? sweep.batch_swept : sweep.learning_rate_swept) shown.push_back(&sweep);
    for (std::size_t s = 0; s < shown.size(); ++s) {
        const double shade =
            shown.size() > 1 ? static_cast<double>(s) / static_cast<double>(shown.size() - 1) : 0.5;
        const std::string label =
            shown.size() > most_labels
                ? std::string{}
                : (several_kinds(sweeps) ? shown[s]->parametrization + ", " : std::string{}) +
                      format_quantity(shown[s]->parameters, Quantity::parameters) + ", " +
                      format_quantity(shown[s]->tokens, Quantity::tokens);
        draw_sweep(*shown[s], knob_of(*shown[s], batch), label, shade, figure);
    }
    cut_high_losses(sweeps, figure);
    return figure;
}

/// The optima with their law against its first regressor; the second, if any, is the colour.
Figure law_figure(const KnobLaw& law, const std::vector<std::vector<Bowl>>& redrawn) {
    const Regressor& in = law.in.front();
    Figure figure{
        "hyperparameters-" + law.name + "-" + in.key,
        law.batch ? "How the best batch grows" : "How the best learning rate moves",
        std::string("Optimum of each sweep with its 95% interval, and the power law") +
            (law.in.size() > 1 ? ", a line for each of some amounts of data." : " with a 95% band."),
        {in.title, in.quantity, true},
        {"best " + axis_title(law.batch), law.batch ? Quantity::tokens : Quantity::number, true},
        {}};
    double low = std::numeric_limits<double>::infinity(), high = 0, least = low, most = 0;
    std::set<double> amounts;
    for (const Usable& usable : law.sweeps) {
        low = std::min(low, in.of(*usable.sweep)), high = std::max(high, in.of(*usable.sweep));
        if (law.in.size() < 2) continue;
        const double second = law.in[1].of(*usable.sweep);
        amounts.insert(second);
        least = std::min(least, second), most = std::max(most, second);
    }
    const auto shade = [&](double second) {
        return most > least ? std::log(second / least) / std::log(most / least) : 0.5;
    };
    std::vector<double> lines(amounts.begin(), amounts.end());
    if (lines.size() > 5) {
        std::vector<double> some;
        for (std::size_t i = 0; i < 5; ++i)
            some.push_back(lines[i * (lines.size() - 1) / 4]);
        lines = some;
    }
    if (law.in.size() < 2) lines = {0};
    for (const double second : lines) {
        Series band{"", Mark::band, std::nullopt, 2, {}, {}, {}},
            line{"", Mark::line, std::nullopt, 2, {}, {}, {}};
        if (law.in.size() > 1)
            line.shade = shade(second), line.label = format_quantity(second, law.in[1].quantity);
        for (int step = 0; step <= 60; ++step) {
            std::vector<double> x = {std::log(low) + std::log(high / low) * (1.1 * step / 60 - 0.05)};
            if (law.in.size() > 1) x.push_back(std::log(second));
            const Estimate here = law.line.estimate(x);
            line.x.push_back(std::exp(x[0])), line.y.push_back(here.value);
            if (law.in.size() > 1 || !std::isfinite(here.low)) continue;
            band.x.push_back(std::exp(x[0])), band.y.push_back(here.low), band.upper.push_back(here.high);
        }
        if (!band.x.empty()) figure.series.push_back(std::move(band));
        figure.series.push_back(std::move(line));
    }
    if (law.in.size() > 1) figure.legend = law.in[1].title;
    for (const Usable& usable : law.sweeps) {
        const double x = in.of(*usable.sweep);
        const Estimate best =
            best_value(*usable.sweep, usable.which, knob_of(*usable.sweep, law.batch), redrawn);
        Series point{"", Mark::points, std::nullopt, 2, {x}, {best.value}, {}};
        if (law.in.size() > 1) point.shade = shade(law.in[1].of(*usable.sweep));
        if (std::isfinite(best.low)) {
            Series bar = point;
            bar.mark = Mark::line, bar.x = {x, x}, bar.y = {best.low, best.high};
            figure.series.push_back(std::move(bar));
        }
        figure.series.push_back(std::move(point));
    }
    return figure;
}

/// Runs of one parametrization and family: optima of different ones do not follow one law.
std::vector<Usable> usable_of(const std::vector<Sweep>& sweeps, bool batch, LawFit& fit) {
    std::map<std::string, std::vector<Usable>> kinds;
    for (std::size_t s = 0; s < sweeps.size(); ++s)
        if (!sweeps[s].bowl.refused && (batch ? sweeps[s].batch_swept : sweeps[s].learning_rate_swept))
            kinds[sweeps[s].parametrization].push_back({&sweeps[s], s});
    std::vector<Usable> most;
    for (const auto& [kind, some] : kinds)
        if (some.size() > most.size()) most = some;
    if (kinds.size() > 1)
        fit.notes.push_back(
            std::string("the law of the ") + (batch ? "batch" : "learning rate") + " is that of " +
            most.front().sweep->parametrization +
            " alone (optima of different ones do not follow one law; --where keeps the others)");
    return most;
}

std::optional<KnobLaw> answer_knob(const std::vector<Sweep>& sweeps, const SweepNoise& noise,
                                   const std::vector<std::vector<Bowl>>& redrawn, bool batch,
                                   const FitOptions& options, LawFit& fit) {
    KnobLaw law;
    law.name = batch ? "batch" : "learning_rate";
    const std::string words = batch ? "batch" : "learning rate";
    law.batch = batch;
    law.sweeps = usable_of(sweeps, batch, fit);
    if (law.sweeps.empty()) return std::nullopt;
    law.in = choose_regressors(law.sweeps, words, fit);
    if (law.in.empty()) {
        if (law.sweeps.size() == 1)
            fit.parameters.push_back(
                {law.name, best_value(*law.sweeps.front().sweep, law.sweeps.front().which,
                                      knob_of(*law.sweeps.front().sweep, batch), redrawn)});
        fit.warnings.push_back({Refusal::too_few_runs,
                                std::to_string(law.sweeps.size()) + " sweeps show a best " + words +
                                    " (3 of different size or data are needed for a law of it) add sweeps"});
        return std::nullopt;
    }
    fit_line(law, noise, redrawn, options);
    if (law.line.coefficients.empty()) return std::nullopt;
    fit.parameters.push_back({law.name + "_coefficient", law.line.scale()});
    for (std::size_t j = 0; j < law.in.size(); ++j)
        fit.parameters.push_back(
            {law.name + "_" + law.in[j].symbol + "_exponent", law.line.coefficient(j + 1)});
    fit.tables.push_back(validation(law, noise));
    fit.figures.push_back(law_figure(law, redrawn));
    if (law.line.scattered && noise.freedom > 0)
        fit.notes.push_back(
            "the best " + words + "s scatter by " + format_significant(100 * law.line.deviation, 2) +
            "% about their law, more than the noise of the losses explains; its intervals are those "
            "of the scatter");
    const auto answer = [line = law.line, in = law.in](double parameters, double tokens) {
        std::vector<double> x;
        for (const Regressor& regressor : in)
            x.push_back(std::log(regressor.symbol[0] == 'N' ? parameters : tokens));
        return line.estimate(x);
    };
    (batch ? fit.batch_at : fit.learning_rate_at) = answer;
    return law;
}

/// The batch as a power law of the loss that is reached.
void answer_batch_at_loss(KnobLaw law, const SweepNoise& noise, const std::vector<std::vector<Bowl>>& redrawn,
                          const FitOptions& options, LawFit& fit) {
    law.in = {in_loss};
    if (different(law.sweeps, in_loss) < 3) return;
    fit_line(law, noise, redrawn, options);
    if (law.line.coefficients.empty()) return;
    fit.derived.push_back({"batch_loss_coefficient", law.line.scale()});
    fit.derived.push_back({"batch_loss_exponent", law.line.coefficient(1)});
    fit.figures.push_back(law_figure(law, redrawn));
    fit.batch_at_loss = [line = law.line](double loss) { return line.estimate(std::vector{std::log(loss)}); };
}

std::optional<Reason> refuse(const std::vector<Sweep>& sweeps) {
    if (sweeps.empty())
        return Reason{
            Refusal::too_few_runs,
            "no two runs of one size and amount of data differ in learning rate or batch (a sweep needs "
            "three values) run sweeps"};
    std::map<Refusal, int> reasons;
    for (const Sweep& sweep : sweeps) {
        if (!sweep.bowl.refused) return std::nullopt;
        ++reasons[*sweep.bowl.refused];
    }
    const auto most = std::max_element(reasons.begin(), reasons.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    std::string text = "0 of " + std::to_string(sweeps.size()) + " sweeps show an optimum (";
    for (const auto& [reason, count] : reasons)
        text += (text.ends_with('(') ? "" : ", ") + std::to_string(count) + " " + std::string(name(reason));
    return Reason{most->first, text + ") see the warnings"};
}

}  // namespace

LawFit fit_hyperparameters(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "hyperparameters";
    fit.objective = "squares of log loss";
    std::vector<Sweep> sweeps = gather_sweeps(runs.used, Sweeping::learning_rate_and_batch);
    const SweepNoise noise = sweep_noise(sweeps);
    std::size_t absurd = 0;
    fit.objective_value = 0;
    constexpr std::size_t told = 10;
    for (const Sweep& sweep : sweeps) {
        absurd += sweep.bowl.absurd.size();
        if (!sweep.bowl.refused)
            fit.objective_value += sweep.bowl.squares;
        else if (fit.warnings.size() < told)
            fit.warnings.push_back(explain(sweep));
    }
    fit.refused = refuse(sweeps);
    if (sweeps.empty()) return fit;
    const auto redrawn = redraw_sweeps(sweeps, noise, options);
    fit.tables.push_back(sweep_table(sweeps, redrawn));
    for (const bool batch : {false, true}) {
        if (std::none_of(sweeps.begin(), sweeps.end(),
                         [&](const Sweep& s) { return batch ? s.batch_swept : s.learning_rate_swept; }))
            continue;
        fit.figures.push_back(bowls_figure(sweeps, batch));
        if (fit.refused) continue;
        const auto law = answer_knob(sweeps, noise, redrawn, batch, options, fit);
        if (batch && law) answer_batch_at_loss(*law, noise, redrawn, options, fit);
    }
    if (absurd > 0)
        fit.notes.push_back(std::to_string(absurd) +
                            " runs with losses above 1.3 times the lowest of their sweep were left out: they "
                            "diverged, or nearly");
    if (noise.freedom == 0 && !fit.refused)
        fit.notes.push_back(
            "every sweep has just as many points as its quadratic has coefficients: how sure an "
            "optimum is cannot be told; intervals of laws are those of the scatter about them");
    fit.notes.push_back(
        "where runs share size, data, learning rate and batch the lowest loss counts (repeats by "
        "seed: their mean)");
    return fit;
}

}  // namespace isogrid::analysis
