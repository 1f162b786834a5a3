#include "analysis/laws/mup_figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/laws/banded_line.hpp"

namespace isogrid::analysis {

Figure mup_bowls_figure(const MupGroup& group, const std::vector<Sweep>& sweeps) {
    Figure figure{
        "mup-" + json_key(group.name),
        group.name + ": best learning rate by width",
        "Final loss against the learning rate, one colour a width; a diamond marks the minimum of the "
        "quadratic through the filled points. Under a parametrization that transfers the diamonds stand "
        "above one another. Rings lie too far from the minimum; crosses belong to widths without a usable "
        "one. Losses far above the curves are not shown.",
        {"peak learning rate", Quantity::number, true},
        {"validation loss (nats a token)", Quantity::loss, false},
        {}};
    if (!group.verdict.word.empty())
        figure.title = group.name + ": the best learning rate " +
                       (group.verdict.word == "transfers"           ? "stays where it is as models widen"
                        : group.verdict.word == "nearly transfers"  ? "moves little as models widen"
                        : group.verdict.word == "does not transfer" ? "moves as models widen"
                                                                    : "may or may not move as models widen");
    figure.legend = "width";
    std::vector<Sweep> shown;
    for (std::size_t s = 0; s < sweeps.size(); ++s)
        if (sweeps[s].parametrization == group.name) shown.push_back(sweeps[s]);
    std::stable_sort(shown.begin(), shown.end(), [](auto& a, auto& b) { return a.width < b.width; });
    const double least = shown.front().width, most = shown.back().width;
    for (const Sweep& sweep : shown)
        draw_sweep(sweep, 0, format_significant(sweep.width, 6),
                   most > least ? std::log(sweep.width / least) / std::log(most / least) : 0.5, figure);
    cut_high_losses(shown, figure);
    return figure;
}

Figure mup_slopes_figure(const std::vector<MupGroup>& groups, const std::vector<Sweep>& sweeps,
                         const std::vector<std::vector<Bowl>>& redrawn) {
    Figure figure{
        "mup-slopes",
        "How the best learning rate moves with width",
        "Best learning rate of each width with its 95% interval, and its power law in the width with a 95% "
        "band. Level: a learning rate tuned on a narrow model suits a wide one.",
        {"width", Quantity::tokens, true},
        {"best learning rate", Quantity::number, true},
        {}};
    int ink = 0;
    for (const MupGroup& group : groups) {
        ++ink;
        if (group.line.coefficients.empty()) continue;
        Extent widths;
        Series points{"", Mark::points, std::nullopt, ink, {}, {}, {}};
        std::vector<std::pair<double, Estimate>> bars;
        for (const std::size_t s : group.usable) {
            const double width = sweeps[s].width;
            widths.add(width);
            const Estimate best = best_value(sweeps[s], s, 0, redrawn);
            points.x.push_back(width), points.y.push_back(best.value);
            bars.emplace_back(width, best);
        }
        BandedLine line(group.name + ", slope " + format_significant(group.slope.value, 2), std::nullopt,
                        ink);
        for (int step = 0; step <= 40; ++step) {
            const std::array x = {std::log(widths.low / 1.1) +
                                  std::log(1.21 * widths.high / widths.low) * step / 40};
            line.add(std::exp(x[0]), group.line.estimate(x));
        }
        line.draw_into(figure);
        for (const auto& [width, best] : bars)
            draw_interval(width, best, std::nullopt, ink, figure);
        figure.series.push_back(std::move(points));
    }
    return figure;
}

}  // namespace isogrid::analysis
