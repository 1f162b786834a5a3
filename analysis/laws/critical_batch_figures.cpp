#include "analysis/laws/critical_batch_figures.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/banded_line.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// Of log steps: the share of their variance over the batches that the hyperbola explains.
double r2(const BatchCell& cell) {
    double mean = 0, squares = 0;
    for (const double log_steps : cell.log_steps)
        mean += log_steps / static_cast<double>(cell.log_steps.size());
    for (const double log_steps : cell.log_steps)
        squares += (log_steps - mean) * (log_steps - mean);
    return 1 - cell.law.squares / squares;
}

}  // namespace

Table cell_table(const std::vector<BatchCell>& cells, const std::vector<BatchCell>& usable,
                 const RedrawnSteps& redrawn, double reference) {
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
                 {"noise_ratio", "Bcrit / noise", Quantity::number},
                 {"r2", "R2", Quantity::number},
                 {"status", "status", Quantity::text}},
                {}};
    std::size_t place = 0;
    for (const BatchCell& cell : cells) {
        const auto batches = static_cast<double>(cell.log_batch.size());
        if (cell.refused) {
            table.rows.push_back({cell.parameters, cell.loss, batches, none, none, none, none, none, none,
                                  cell.noise_scale, none, none, std::string(name(cell.refused->kind))});
            continue;
        }
        const Estimate critical =
            estimate(usable[place], redrawn, place, [](const StepsLaw& law) { return law.critical(); });
        ++place;
        table.rows.push_back({cell.parameters, cell.loss, batches, cell.law.steps_min(),
                              cell.law.examples_min(), critical.value, critical.low, critical.high,
                              cell.law.overhead_batch(reference), cell.noise_scale,
                              critical.value / cell.noise_scale, r2(cell), std::string("ok")});
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

Figure steps_figure(const std::vector<BatchCell>& cells) {
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
        const BatchCell& cell = cells[c];
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

/// Keeps a band within `factor` of its line, as one of a law that hardly any cell holds would leave no room
/// for the points. Whether it went beyond.
bool cut(BandedLine& law, double factor) {
    bool beyond = false;
    for (std::size_t i = 0, on = 0; i < law.band.x.size(); ++i) {
        while (law.line.x[on] != law.band.x[i])
            ++on;
        const double line = law.line.y[on];
        beyond = beyond || law.band.y[i] < line / factor || law.band.upper[i] > line * factor;
        law.band.y[i] = std::max(law.band.y[i], line / factor);
        law.band.upper[i] = std::min(law.band.upper[i], line * factor);
    }
    return beyond;
}

Figure law_figure(const BatchLaw& law, const std::vector<BatchCell>& cells, const RedrawnSteps& redrawn,
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
    BandedLine critical_line("Bcrit = Emin / Smin", std::nullopt, 2);
    Series cheap{"20% overhead", Mark::dashes, std::nullopt, 1, {}, {}, {}};
    for (int step = 0; step <= 60; ++step) {
        const std::array x = {std::log(law.low / 1.05) + std::log(1.1025 * law.high / law.low) * step / 60};
        critical_line.add(std::exp(x[0]), law.line.estimate(x));
        cheap.x.push_back(std::exp(x[0])), cheap.y.push_back(std::exp(law.overhead_line.at(x)));
    }
    if (cut(critical_line, 100))
        figure.caption += " The band is cut off where it is a hundredfold from its line.";
    critical_line.draw_into(figure);
    figure.series.push_back(std::move(cheap));
    Series points{"", Mark::points, std::nullopt, 2, {}, {}, {}};
    Series overheads{"", Mark::points, std::nullopt, 1, {}, {}, {}};
    Series scales{"measured noise scale", Mark::rings, std::nullopt, 3, {}, {}, {}};
    for (const std::size_t c : cells_for(*law.in, cells)) {
        const double x = law.in->of(cells[c]);
        const Estimate critical =
            estimate(cells[c], redrawn, c, [](const StepsLaw& steps) { return steps.critical(); });
        draw_interval(x, critical, std::nullopt, 2, figure);
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

}  // namespace isogrid::analysis
