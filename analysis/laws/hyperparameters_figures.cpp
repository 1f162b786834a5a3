#include "analysis/laws/hyperparameters_figures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/laws/banded_line.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t most_labels = 12;

/// Sweeps of several parametrizations or families.
bool several_kinds(const std::vector<Sweep>& sweeps) {
    return std::any_of(sweeps.begin(), sweeps.end(), [&](const Sweep& sweep) {
        return sweep.parametrization != sweeps.front().parametrization;
    });
}

std::string axis_title(bool batch) {
    return batch ? "batch" : "peak learning rate";
}

}  // namespace

Table sweep_table(const std::vector<Sweep>& sweeps, const std::vector<std::vector<Bowl>>& redrawn) {
    Table table{"sweeps",
                "Best learning rate and batch of each size and amount of data",
                {{"parameters", "N", Quantity::parameters},
                 {"tokens", "D", Quantity::tokens},
                 {"points", "points", Quantity::number},
                 {"diverged", "diverged", Quantity::number},
                 {"fitted", "fitted", Quantity::number},
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
                              static_cast<double>(sweep.bowl.absurd.size()),
                              sweep.bowl.refused ? none : static_cast<double>(sweep.bowl.fitted.size()),
                              rate.value, rate.low, rate.high, batch.value, batch.low, batch.high,
                              sweep.bowl.refused ? none : std::exp(sweep.bowl.minimum),
                              std::string(sweep.bowl.refused ? name(*sweep.bowl.refused) : "ok")});
    }
    if (!several_kinds(sweeps)) return table;
    table.columns.insert(table.columns.begin(), {"parametrization", "kind", Quantity::text});
    for (std::size_t s = 0; s < sweeps.size(); ++s)
        table.rows[s].insert(table.rows[s].begin(), sweeps[s].parametrization);
    return table;
}

Table batch_rule_table(const std::vector<BatchRule>& rules) {
    Table table{"batch_laws",
                "What the best batch follows",
                {{"in", "in", Quantity::text}, {"held_out_error", "held-out error", Quantity::percent}},
                {}};
    for (const BatchRule& rule : rules)
        table.rows.push_back({rule.in, rule.held_out});
    return table;
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
    Extent along, others;
    std::set<double> amounts;
    for (const UsableSweep& usable : law.sweeps) {
        along.add(in.of(*usable.sweep));
        if (law.in.size() < 2) continue;
        const double second = law.in[1].of(*usable.sweep);
        amounts.insert(second);
        others.add(second);
    }
    std::vector<double> lines(amounts.begin(), amounts.end());
    if (lines.size() > 5) {
        std::vector<double> some;
        for (std::size_t i = 0; i < 5; ++i)
            some.push_back(lines[i * (lines.size() - 1) / 4]);
        lines = some;
    }
    if (law.in.size() < 2) lines = {0};
    for (const double second : lines) {
        BandedLine line("", std::nullopt, 2);
        if (law.in.size() > 1)
            line.line.shade = others.place(second),
            line.line.label = format_quantity(second, law.in[1].quantity);
        for (int step = 0; step <= 60; ++step) {
            std::vector<double> x = {std::log(along.low) +
                                     std::log(along.high / along.low) * (1.1 * step / 60 - 0.05)};
            if (law.in.size() > 1) x.push_back(std::log(second));
            line.add(std::exp(x[0]), law.line.estimate(x));
        }
        if (law.in.size() > 1) line.band.x.clear();  // bands of several lines would hide each other
        line.draw_into(figure);
    }
    if (law.in.size() > 1) figure.legend = law.in[1].title;
    for (const UsableSweep& usable : law.sweeps) {
        const double x = in.of(*usable.sweep);
        const Estimate best =
            best_value(*usable.sweep, usable.which, knob_of(*usable.sweep, law.batch), redrawn);
        Series point{"", Mark::points, std::nullopt, 2, {x}, {best.value}, {}};
        if (law.in.size() > 1) point.shade = others.place(law.in[1].of(*usable.sweep));
        draw_interval(x, best, point.shade, point.ink, figure);
        figure.series.push_back(std::move(point));
    }
    return figure;
}

}  // namespace isogrid::analysis
