#include "analysis/laws/schedule_figures.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <numeric>
#include <set>
#include <span>
#include <string>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/fit/bootstrap.hpp"
#include "analysis/laws/banded_line.hpp"

namespace isogrid::analysis {
namespace {

double warmup_of(const Schedule& schedule) {
    return schedule.step[schedule.warmed_up()];
}

/// The highest loss that a curve has behind the first quarter of its steps: the fall from random guessing
/// before that would leave no room for what a schedule does.
double highest_shown(const std::vector<ScheduledCurve>& curves) {
    double highest = 0;
    for (const ScheduledCurve& curve : curves)
        for (std::size_t i = 0; i < curve.loss.size(); ++i)
            if (curve.step[i] >= 0.25 * curve.step.back()) highest = std::max(highest, curve.loss[i]);
    return highest;
}

}  // namespace

Table forecast_table(const ScheduleLaw& law, const std::vector<ScheduleLaw>& others, double widening,
                     const std::vector<ScheduledCurve>& curves) {
    Table table{"forecasts",
                "Loss at the last step of each run, had its learning rate been",
                {{"run", "run", Quantity::text},
                 {"step", "step", Quantity::tokens},
                 {"measured", "measured", Quantity::loss},
                 {"law", "law", Quantity::loss},
                 {"constant", "constant", Quantity::loss},
                 {"cosine", "cosine", Quantity::loss},
                 {"cosine_error", "+/-", Quantity::loss},
                 {"decay", "decay", Quantity::loss},
                 {"decay_error", "+/-", Quantity::loss}},
                {}};
    for (const ScheduledCurve& curve : curves) {
        const double peak = curve.schedule.peak();
        const double warmup = warmup_of(curve.schedule), last = curve.schedule.step.back();
        const Schedule cosine = Schedule::cosine(peak, warmup, last, 0.1);
        const Schedule decay = Schedule::linear_decay(peak, warmup, last, 0.8 * last, 0);
        const auto half = [&](const Schedule& schedule) {
            const auto end = [&](const ScheduleLaw& one) { return one.final_loss(schedule); };
            const Estimate estimate = estimated(law, others, end, widening);
            return 0.5 * (estimate.high - estimate.low);
        };
        table.rows.push_back({curve.name, last, curve.loss.back(), law.final_loss(curve.schedule),
                              law.final_loss(Schedule::constant(peak, warmup, last)), law.final_loss(cosine),
                              half(cosine), law.final_loss(decay), half(decay)});
    }
    return table;
}

Figure curves_figure(const ScheduleLaw& law, const std::vector<ScheduledCurve>& curves, std::size_t fitted) {
    Figure figure{
        "schedule-curves",
        "Loss under each learning-rate schedule, and the law",
        "Dots: measured. Lines: the law, broken where a curve was held out of the fit. The first fall of "
        "the losses is not shown.",
        {"step", Quantity::tokens, false},
        {"loss (nats a token)", Quantity::loss, false, highest_shown(curves)},
        {},
        "curve"};
    // A legend has room for some names; of more curves (decays that leave a trunk, say) lengths are named
    // instead.
    constexpr std::size_t most_names = 9;
    std::set<double> lengths;
    for (const ScheduledCurve& curve : curves)
        lengths.insert(curve.schedule.step.back());
    const bool by_length = curves.size() > most_names;
    const std::size_t colours = by_length ? lengths.size() : curves.size();
    if (by_length) figure.legend = "steps";
    std::set<double> named;
    std::vector<std::size_t> order(curves.size());  // as the legend has them
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (by_length)
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return curves[a].schedule.step.back() < curves[b].schedule.step.back();
        });
    for (const std::size_t c : order) {
        const ScheduledCurve& curve = curves[c];
        const double length = curve.schedule.step.back();
        const auto rank =
            by_length ? std::distance(lengths.begin(), lengths.find(length)) : static_cast<std::ptrdiff_t>(c);
        const double shade = colours > 1 ? static_cast<double>(rank) / static_cast<double>(colours - 1) : 0.5;
        const std::string label = !by_length                    ? curve.name
                                  : named.insert(length).second ? format_quantity(length, Quantity::tokens)
                                                                : "";
        Series dots{"", Mark::dots, shade, 0, {}, {}, {}};
        const std::size_t stride = std::max<std::size_t>(1, curve.loss.size() / 60);
        for (std::size_t i = 0; i < curve.loss.size(); i += stride)
            dots.x.push_back(curve.step[i]), dots.y.push_back(curve.loss[i]);
        figure.series.push_back(std::move(dots));
        // From the first point on: before it the law's loss is far above all others.
        const auto from = static_cast<std::ptrdiff_t>(curve.place.front());
        const std::vector<double> line = law.losses(curve.schedule);
        figure.series.push_back({label,
                                 c < fitted ? Mark::line : Mark::dashes,
                                 shade,
                                 0,
                                 {curve.schedule.step.begin() + from, curve.schedule.step.end()},
                                 {line.begin() + from, line.end()},
                                 {}});
    }
    return figure;
}

Figure length_figure(const ScheduleLaw& law, const std::vector<ScheduleLaw>& others, double widening,
                     const std::vector<ScheduledCurve>& curves) {
    Figure figure{
        "schedule-lengths",
        "The final loss of runs of every length, from the fitted curves alone",
        "What the law expects at the end of a run of so many steps, with its 95% interval: held at the "
        "peak, by a cosine to a tenth, held and brought to zero over the last fifth.",
        {"steps", Quantity::tokens, true},
        {"final loss (nats a token)", Quantity::loss, false},
        {}};
    double longest = 0, peak = 0, warmup = 0;
    for (const ScheduledCurve& curve : curves) {
        longest = std::max(longest, curve.schedule.step.back());
        peak = std::max(peak, curve.schedule.peak());
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
    const auto shown = std::span(others).first(std::min<std::size_t>(others.size(), 200));
    for (const Kind& kind : kinds) {
        BandedLine line(kind.label, std::nullopt, kind.ink);
        for (const double steps : log_spaced(shortest, 2 * longest, 16)) {
            const Schedule schedule = kind.make(steps);
            const auto end = [&](const ScheduleLaw& one) { return one.final_loss(schedule); };
            line.add(steps, estimated(law, shown, end, widening));
        }
        line.draw_into(figure);
    }
    return figure;
}

}  // namespace isogrid::analysis
