#include "analysis/laws/surface_figures.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/fit/bootstrap.hpp"
#include "analysis/laws/banded_line.hpp"
#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {
namespace {

/// Budgets to draw: the runs' own where they are few; of many that most runs share, some; else some spread
/// over the runs' compute.
std::vector<double> drawn_budgets(const std::vector<Run>& runs) {
    constexpr std::size_t most = 8, a_curve = 3;  // runs
    std::vector<double> all;
    for (const Run& run : runs)
        all.push_back(counted_flops(run));
    std::sort(all.begin(), all.end());
    std::vector<double> budgets;
    std::vector<std::size_t> members;
    for (const double c : all) {
        if (budgets.empty() || c > 1.01 * budgets.back()) budgets.push_back(c), members.push_back(0);
        ++members.back();
    }
    if (budgets.size() <= most) return budgets;
    std::vector<double> shared;
    std::size_t sharing = 0;
    for (std::size_t b = 0; b < budgets.size(); ++b)
        if (members[b] >= a_curve) shared.push_back(budgets[b]), sharing += members[b];
    budgets.clear();
    if (shared.size() >= 2 && 2 * sharing > runs.size()) {
        const std::size_t count = std::min(most, shared.size());
        for (std::size_t k = 0; k < count; ++k)
            budgets.push_back(shared[k * (shared.size() - 1) / (count - 1)]);
        return budgets;
    }
    constexpr int count = 6;
    for (int k = 0; k < count; ++k)
        budgets.push_back(all.front() * std::pow(all.back() / all.front(), (k + 0.5) / count));
    return budgets;
}

}  // namespace

Figure residual_figure(const SurfaceForm& form, const Runs& runs, const std::vector<double>& residuals,
                       const std::string& key, const Axis& axis, double Run::*count) {
    Figure figure{
        std::string(form.name) + "-residuals" + key,
        "What " + std::string(form.title) + " leaves unexplained, along " + axis.title,
        "Each run's measured loss against the law's, in percent. A trend along the axis, or budgets "
        "lying apart, would say that the law has the wrong form. Dark points are small models, light ones "
        "large.",
        axis,
        {"loss above the law (%)", Quantity::number, false},
        {}};
    const Extent along = extent_of(runs.used, count), sizes = extent_of(runs.used, &Run::parameters);
    figure.series.push_back(
        {"", Mark::line, std::nullopt, 4, {along.low / 1.3, along.high * 1.3}, {0, 0}, {}});
    for (std::size_t i = 0; i < runs.used.size(); ++i) {
        const Run& run = runs.used[i];
        figure.series.push_back({"",
                                 Mark::points,
                                 sizes.place(run.parameters),
                                 0,
                                 {run.*count},
                                 {100 * std::expm1(residuals[i])},
                                 {}});
    }
    return figure;
}

Figure surface_figure(const SurfaceForm& form, const Runs& runs, const LossSurface& surface,
                      double widening) {
    Figure figure{
        std::string(form.name) + "-curves",
        "Loss over model size at equal compute, measured and by " + std::string(form.title),
        "Points are runs within 15% of a budget, curves the law at that budget, the band its 95% interval.",
        {"parameters N", Quantity::parameters, true},
        {"loss (nats a token)", Quantity::loss, false},
        {}};
    figure.legend = "budget (FLOPs)";
    const Extent sizes = extent_of(runs.used, &Run::parameters);
    const std::vector<double> budgets = drawn_budgets(runs.used);
    constexpr std::size_t most_replicates = 200;
    const auto shown =
        std::span(surface.replicates).first(std::min(surface.replicates.size(), most_replicates));
    std::vector<Series> bands, lines, dots;
    for (std::size_t k = 0; k < budgets.size(); ++k) {
        const double budget = budgets[k];
        const double shade =
            budgets.size() > 1 ? static_cast<double>(k) / static_cast<double>(budgets.size() - 1) : 0.5;
        Series points{"", Mark::points, shade, 0, {}, {}, {}};
        BandedLine curve(format_quantity(budget, Quantity::flops), shade, 0);
        Extent own;
        for (const Run& run : runs.used)
            if (std::abs(std::log(counted_flops(run) / budget)) < 0.15) {
                points.x.push_back(run.parameters), points.y.push_back(run.loss);
                own.add(run.parameters);
            }
        if (points.x.empty()) continue;
        constexpr int steps = 48;
        for (const double N : log_spaced(std::max(own.low / 1.3, sizes.low / 1.3),
                                         std::min(own.high * 1.3, sizes.high * 1.3), steps)) {
            const double D = budget / (surface.flops_per_parameter_token * N);
            const auto there = [&](const LossSurface::Loss& loss) { return loss(N, D); };
            curve.add(N, estimated(surface.loss, shown, there, widening));
        }
        if (!curve.band.x.empty()) bands.push_back(std::move(curve.band));
        lines.push_back(std::move(curve.line));
        dots.push_back(std::move(points));
    }
    for (auto* group : {&bands, &lines, &dots})
        for (Series& series : *group)
            figure.series.push_back(std::move(series));
    return figure;
}

}  // namespace isogrid::analysis
