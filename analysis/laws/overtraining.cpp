// What it costs to train longer than compute-optimally: one exponent of compute, whatever the tokens per
// parameter.
#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/fit/joint_law.hpp"
#include "analysis/fit/parametric.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/banded_line.hpp"
#include "analysis/laws/surface_runs.hpp"
#include "analysis/laws/sweep.hpp"

namespace isogrid::analysis {
namespace {

constexpr double factor = 6;  ///< C = 6 N D, as the law's authors count

/// The law as it is fitted: E + A / N^(2 eta) + B / D^(2 eta), which is the same; in log E, log A and log B
/// at the mean size and data, and log eta. Residuals are of the loss itself, as its authors fit it.
struct Model {
    std::vector<double> log_n, log_d, loss;
    double mean_n = 0, mean_d = 0;

    explicit Model(const std::vector<Run>& runs) {
        for (const Run& run : runs) {
            log_n.push_back(std::log(run.parameters)), log_d.push_back(std::log(run.tokens));
            loss.push_back(run.loss);
            mean_n += log_n.back() / static_cast<double>(runs.size());
            mean_d += log_d.back() / static_cast<double>(runs.size());
        }
    }

    double residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const {
        const double exponent = 2 * std::exp(at[3]), n = log_n[i] - mean_n, d = log_d[i] - mean_d;
        const double floor = std::exp(at[0]), size = std::exp(at[1] - exponent * n),
                     data = std::exp(at[2] - exponent * d);
        if (!gradient.empty()) {
            gradient[0] = floor, gradient[1] = size, gradient[2] = data;
            gradient[3] = -exponent * (n * size + d * data);
        }
        return floor + size + data - loss[i];
    }

    ResidualModel residuals() const {
        return {4, loss.size(),
                [this](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                    return residual(at, i, gradient);
                }};
    }

    /// E, a, b, eta.
    std::vector<double> report(std::span<const double> at) const {
        const double eta = std::exp(at[3]), scale = std::pow(factor, eta);
        return {std::exp(at[0]), std::exp(at[1] + 2 * eta * mean_n) * scale,
                std::exp(at[2] + 2 * eta * mean_d) * scale, eta};
    }

    std::vector<std::vector<double>> starts() const {
        const double lowest = *std::min_element(loss.begin(), loss.end());
        std::vector<std::vector<double>> grid;
        for (const double floor : {0.05, 0.4, 0.7, 0.9})
            for (const double size : {0.03, 0.1, 0.4})
                for (const double data : {0.03, 0.1, 0.4})
                    for (const double eta : {0.05, 0.12, 0.25, 0.5})
                        grid.push_back({std::log(floor * lowest), std::log(size * lowest),
                                        std::log(data * lowest), std::log(eta)});
        return grid;
    }
};

JointLaw law_of(std::span<const double> v) {
    const double scale = std::pow(factor, v[3]);
    return {v[0], v[1] / scale, v[2] / scale, 2 * v[3], 2 * v[3]};
}

/// Tokens per parameter of the least loss at any compute.
double best_ratio(std::span<const double> v) {
    return std::pow(v[2] / v[1], 1 / (2 * v[3]));
}

/// By how much compute must grow for the loss of the best ratio when M is `times` that ratio.
double extra_compute(std::span<const double> v, double times) {
    const double up = std::pow(times, v[3]);
    return std::pow((up + 1 / up) / 2, 1 / v[3]);
}

std::optional<Reason> too_few(const std::vector<Run>& runs) {
    std::set<double> ratios, computes;
    for (const Run& run : runs) {
        ratios.insert(std::round(10 * std::log(run.tokens / run.parameters)));
        computes.insert(std::round(10 * std::log(run.tokens * run.parameters)));
    }
    if (runs.size() >= 5 && ratios.size() >= 2 && computes.size() >= 3) return std::nullopt;
    return Reason{Refusal::too_few_runs,
                  std::to_string(runs.size()) + " runs of " + std::to_string(ratios.size()) +
                      " different tokens per parameter and " + std::to_string(computes.size()) +
                      " amounts of compute (5, 2 and 3 are needed for 4 parameters) train some for longer"};
}

Figure ratio_figure(const std::vector<Run>& runs, const ParametricFit& found) {
    Figure figure{
        "overtraining",
        "Loss against compute for each number of tokens per parameter",
        "Points: runs, light ones trained on many tokens per parameter. Lines: the law, with its 95% "
        "interval, parallel as the law has one exponent; dashed: the best ratio at each compute.",
        {"compute C = 6 N D (FLOPs)", Quantity::flops, true},
        {"loss (nats a token)", Quantity::loss, true},
        {},
        "tokens per parameter"};
    const auto flops_of = [](const Run& run) { return factor * run.parameters * run.tokens; };
    const auto ratio_of = [](const Run& run) { return run.tokens / run.parameters; };
    const Extent flops_seen = extent_of(runs, flops_of), ratios = extent_of(runs, ratio_of);
    /// Along compute at one ratio; at 0, at the best one.
    const auto trace = [&](double ratio, BandedLine& line) {
        for (const double flops : log_spaced(flops_seen.low / 2, 2 * flops_seen.high, 40))
            line.add(flops, derived(found, "", [&](std::span<const double> v) {
                                const double m = ratio > 0 ? ratio : best_ratio(v);
                                const double size = std::sqrt(flops / factor / m);
                                return law_of(v).loss(size, m * size);
                            }).estimate);
    };
    const int last = ratios.high > 3 * ratios.low ? 2 : 1;
    for (const double ratio : log_spaced(ratios.low, ratios.high, last)) {
        BandedLine line(format_significant(ratio, 3), ratios.place(ratio), 0);
        trace(ratio, line);
        line.draw_into(figure);
    }
    BandedLine best("best", std::nullopt, 1);
    trace(0, best);
    best.line.mark = Mark::dashes;
    figure.series.push_back(std::move(best.line));
    for (const Run& run : runs)
        figure.series.push_back(
            {"", Mark::points, ratios.place(ratio_of(run)), 0, {flops_of(run)}, {run.loss}, {}});
    return figure;
}

Table cost_table(const ParametricFit& found) {
    Table table{"overtraining",
                "What more tokens per parameter M cost in compute for the same loss, and the size left",
                {{"times", "M over best", Quantity::number},
                 {"ratio", "M", Quantity::number},
                 {"compute", "compute", Quantity::number},
                 {"low", "95% from", Quantity::number},
                 {"high", "to", Quantity::number},
                 {"size", "size", Quantity::number}},
                {}};
    for (const double times : {1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0}) {
        const Estimate extra = derived(found, "", [&](auto v) { return extra_compute(v, times); }).estimate;
        table.rows.push_back({times, times * best_ratio(found.values), extra.value, extra.low, extra.high,
                              std::sqrt(extra.value / times)});
    }
    return table;
}

}  // namespace

LawFit fit_overtraining(const Runs& all, const FitOptions& options) {
    LawFit fit;
    fit.name = "overtraining";
    fit.objective = to_string(options.objective) + " of the loss";
    const Runs runs = well_tuned(all, options, fit.notes);
    if ((fit.refused = too_few(runs.used))) return fit;
    const Model model(runs.used);
    const double lowest = *std::min_element(model.loss.begin(), model.loss.end());
    const ParametricFit found = fit_parametric(
        {.model = model.residuals(),
         .parameters =
             {{"E", 1e-3 * lowest, lowest, /*soft=*/true, /*floor=*/true}, {"a"}, {"b"}, {"eta", 0.005, 1.5}},
         .report = [&](std::span<const double> at) { return model.report(at); },
         .starts = model.starts(),
         .repeats = repeats_of(runs.used)},
        options);
    if (!tell_fit(found, fit)) return fit;
    if (fit.refused) return fit;
    fit.derived = {derived(found, "best_ratio", best_ratio)};
    if (runs.used.size() < 8)
        fit.warnings.push_back(
            {Refusal::too_few_runs, std::to_string(runs.used.size()) +
                                        " runs for 4 parameters (such a fit is hardly tested by "
                                        "its own runs) add some"});
    const JointLaw law = law_of(found.values);
    fit.surface.emplace();
    fit.surface->loss = [law](double N, double D) { return law.loss(N, D); };
    for (const auto& replicate : found.replicates)
        fit.surface->replicates.push_back(
            [other = law_of(replicate)](double N, double D) { return other.loss(N, D); });
    fit.surface->widening = found.widening;
    fit.surface->lowest_seen = lowest;
    if (auto missed = misses_the_best_run(runs.used, fit.surface->loss))
        fit.warnings.push_back(std::move(*missed));
    if (auto mixed = mixes_dense_and_sparse(runs.used)) fit.warnings.push_back(std::move(*mixed));
    tell_cost(runs.used, fit);  // the law's own C is 6 N D; a budget is counted as the runs are
    fit.tables.push_back(cost_table(found));
    std::vector<double> flops;
    for (const Run& run : runs.used)  // in octaves
        flops.push_back(std::exp2(std::ceil(std::log2(factor * run.parameters * run.tokens) - 1e-9)));
    const auto cuts = expanding_window(
        flops, model.loss, 5, [&](std::span<const std::size_t> some) -> std::optional<Predictor> {
            std::vector<Run> chosen;
            std::vector<double> weights(model.loss.size(), 0.0);
            for (const std::size_t i : some)
                chosen.push_back(runs.used[i]), weights[i] = 1;
            if (too_few(chosen)) return std::nullopt;
            const auto minima =
                minimize_from_many(model.residuals(), options.objective, weights, model.starts(), 8);
            if (minima.empty()) return std::nullopt;
            return [other = law_of(model.report(minima.front().at)), &runs](std::size_t i) {
                return other.loss(runs.used[i].parameters, runs.used[i].tokens);
            };
        });
    tell_validation(cuts, {"flops", "compute", Quantity::flops}, "loss", fit);
    fit.figures.push_back(ratio_figure(runs.used, found));
    return fit;
}

}  // namespace isogrid::analysis
