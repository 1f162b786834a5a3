#include "analysis/laws/single_variable_figures.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <span>

#include "analysis/figures/extent.hpp"

namespace isogrid::analysis {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Series sampled(const std::string& label, Mark mark, int ink, double low, double high,
               const std::function<double(double)>& loss) {
    constexpr int samples = 80;
    Series series{label, mark, std::nullopt, ink, {}, {}, {}};
    for (const double x : log_spaced(low, high, samples))
        series.x.push_back(x), series.y.push_back(loss(x));
    return series;
}

}  // namespace

Table form_table(const std::vector<Candidate>& candidates, std::size_t chosen, std::size_t points) {
    Table table{"forms",
                "Which form the losses prefer",
                {{"form", "form", Quantity::text},
                 {"aicc", "AICc", Quantity::number},
                 {"held_out", "held out", Quantity::percent},
                 {"residual", "residual", Quantity::percent},
                 {"E", "E", Quantity::number},
                 {"exponent", "exp.", Quantity::number},
                 {"verdict", "verdict", Quantity::text}},
                {}};
    double lowest = std::numeric_limits<double>::infinity();
    for (const Candidate& candidate : candidates)
        if (candidate.fit.sound) lowest = std::min(lowest, candidate.akaike);
    for (std::size_t c = 0; c < candidates.size(); ++c) {
        const Candidate& candidate = candidates[c];
        const auto value = [&](std::string_view name) {
            for (std::size_t p = 0; p < candidate.fit.form->parameters.size(); ++p)
                if (candidate.fit.form->parameters[p].name == name) return candidate.fit.parameters[p];
            return nan;
        };
        table.rows.push_back(
            {std::string(candidate.fit.form->equation), candidate.akaike - lowest, candidate.held_out,
             std::sqrt(candidate.fit.squares / static_cast<double>(points)), value("E"), value("alpha"),
             std::string(!candidate.fit.sound ? "out of bounds"
                         : c == chosen        ? "best"
                                              : "")});
    }
    return table;
}

std::optional<Table> convention_table(const Ladder& ladder, std::span<const Run* const> runs) {
    if (ladder.others == nullptr) return std::nullopt;
    std::map<std::string, std::vector<CurvePoint>> by_name;
    for (const Run* run : runs)
        for (const Convention& convention : *ladder.others(*run))
            if (convention.value > 0) by_name[convention.name].push_back({convention.value, run->loss});
    Table table{"conventions",
                "The law under every stored way to count " + ladder.symbol,
                {{"convention", "convention", Quantity::text},
                 {"alpha", "alpha", Quantity::number},
                 {"E", "E", Quantity::number},
                 {"pure_exponent", "pure power", Quantity::number},
                 {"residual", "residual", Quantity::percent}},
                {}};
    for (auto& [name, points] : by_name) {
        if (points.size() != runs.size()) continue;
        const FittedForm floor = fit_form(curve_forms()[0], points),
                         pure = fit_form(curve_forms()[1], points);
        table.rows.push_back({name, floor.parameters[2], floor.parameters[0], pure.parameters[1],
                              std::sqrt(floor.squares / static_cast<double>(points.size()))});
    }
    if (table.rows.size() < 2) return std::nullopt;
    return table;
}

Table ahead_table(const Ladder& ladder, const ParametricFit& found, const FittedForm* chosen,
                  double largest) {
    Table table{"ahead",
                "The loss to expect further on",
                {{"x", ladder.symbol, ladder.axis.quantity},
                 {"loss", "loss", Quantity::loss},
                 {"low", "from", Quantity::loss},
                 {"high", "to", Quantity::loss},
                 {"chosen", "best form", Quantity::loss}},
                {}};
    const CurveForm& form = curve_forms().front();
    for (const double factor : {1.0, 10.0, 100.0}) {
        const double x = largest * factor;
        const Estimate loss =
            derived(found, "", [&](std::span<const double> v) { return form.loss(v, x); }).estimate;
        table.rows.push_back({x, loss.value, loss.low, loss.high, chosen ? chosen->loss(x) : nan});
    }
    return table;
}

Figure curve_figure(const Ladder& ladder, const std::vector<const Run*>& left_out,
                    const std::vector<CurvePoint>& points, const ParametricFit& found,
                    const FittedForm* chosen) {
    Figure figure{
        ladder.law + "-curve",
        "The loss falls with " + ladder.symbol + " towards a floor",
        "Lowest loss against " + ladder.symbol +
            ": the line is E + A x^-alpha with its 95% interval, a tenfold beyond the runs too. Crosses "
            "are runs left out (see the notes).",
        ladder.axis,
        {"validation loss (nats a token)", Quantity::loss, true},
        {}};
    const double low = points.front().x, high = 10 * points.back().x;
    const CurveForm& form = curve_forms().front();
    Series band = sampled("", Mark::band, 2, low, high, [](double) { return nan; });
    band.y.clear();
    for (const double x : band.x) {
        const Estimate e =
            derived(found, "", [&](std::span<const double> v) { return form.loss(v, x); }).estimate;
        band.y.push_back(e.low), band.upper.push_back(e.high);
    }
    if (std::isfinite(band.y.front())) figure.series.push_back(band);
    figure.series.push_back(sampled("E + A x^-alpha", Mark::line, 2, low, high,
                                    [&](double x) { return form.loss(found.values, x); }));
    if (chosen != nullptr && chosen->form != &form)
        figure.series.push_back(sampled(std::string(chosen->form->equation) + " (best)", Mark::dashes, 1, low,
                                        high, [&](double x) { return chosen->loss(x); }));
    Series dots{"runs", Mark::points, std::nullopt, 0, {}, {}, {}};
    for (const CurvePoint& point : points)
        dots.x.push_back(point.x), dots.y.push_back(point.loss);
    figure.series.push_back(dots);
    Series crosses{"left out", Mark::crosses, std::nullopt, 4, {}, {}, {}};
    double worst = 0, best = std::numeric_limits<double>::infinity();
    for (const CurvePoint& point : points)
        worst = std::max(worst, point.loss), best = std::min(best, point.loss);
    figure.y.highest = worst * std::pow(worst / best, 0.3);
    for (const Run* run : left_out)
        if (run->loss < *figure.y.highest)
            crosses.x.push_back(ladder.x(*run)), crosses.y.push_back(run->loss);
    if (!crosses.x.empty()) figure.series.push_back(crosses);
    return figure;
}

Figure reducible_figure(const Ladder& ladder, const std::vector<CurvePoint>& points,
                        std::span<const double> values) {
    Figure figure{ladder.law + "-reducible",
                  "Above its floor the loss is a straight line",
                  "Loss less the fitted floor E against " + ladder.symbol +
                      ", both axes logarithmic: where the points leave the line, the law does not hold.",
                  ladder.axis,
                  {"loss above the floor (nats a token)", Quantity::loss, true},
                  {}};
    figure.series.push_back(sampled("A x^-alpha", Mark::line, 2, points.front().x, points.back().x,
                                    [&](double x) { return values[1] * std::pow(x, -values[2]); }));
    Series dots{"loss less E", Mark::points, std::nullopt, 0, {}, {}, {}};
    for (const CurvePoint& point : points)
        if (point.loss > values[0]) dots.x.push_back(point.x), dots.y.push_back(point.loss - values[0]);
    figure.series.push_back(dots);
    return figure;
}

}  // namespace isogrid::analysis
