#include "analysis/laws/single_variable.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/fit/validation.hpp"
#include "analysis/laws/curve_forms.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t fewest_points =
    6;  // for E, A and alpha: AICc needs two more than the parameters and sigma
constexpr double fewest_decades = 0.6, nan = std::numeric_limits<double>::quiet_NaN();

std::vector<CurvePoint> points_of(const std::vector<const Run*>& runs, double (*x)(const Run&)) {
    std::vector<CurvePoint> points;
    for (const Run* run : runs)
        points.push_back({x(*run), run->loss});
    return points;
}

std::optional<Reason> too_few(const Ladder& ladder) {
    const std::string count = std::to_string(ladder.used.size());
    if (ladder.used.size() < fewest_points)
        return Reason{Refusal::too_few_runs,
                      count + " usable values of " + ladder.symbol + " (" + std::to_string(fewest_points) +
                          " are needed to see an exponent and a floor) " + ladder.advice};
    const double decades = std::log10(ladder.x(*ladder.used.back()) / ladder.x(*ladder.used.front()));
    if (decades < fewest_decades)
        return Reason{Refusal::too_few_runs,
                      count + " values of " + ladder.symbol + " span " + format_significant(decades, 2) +
                          " decades (a curve hardly bends over that) " + ladder.advice};
    return std::nullopt;
}

/// Squares of log loss about its mean: what a constant leaves.
double squares_about_mean(std::span<const CurvePoint> points) {
    double mean = 0, squares = 0;
    for (const CurvePoint& point : points)
        mean += std::log(point.loss) / static_cast<double>(points.size());
    for (const CurvePoint& point : points)
        squares += std::pow(std::log(point.loss) - mean, 2);
    return squares;
}

/// How many of the lowest x lie on a plateau: a constant there and E + A x^-alpha beyond, against the law
/// alone, by Akaike's criterion. The constant and the place where it ends count as two parameters.
std::size_t find_plateau(std::span<const CurvePoint> points) {
    constexpr double clearly = 4;  // of the criterion: the broken curve is e^2 times as likely
    const CurveForm& form = curve_forms().front();
    const std::size_t count = points.size(), own = form.parameters.size();
    double best = corrected_akaike(fit_form(form, points).squares, count, own) - clearly;
    std::size_t plateau = 0;
    for (std::size_t left = 1; left <= count / 3 && count - left >= fewest_points; ++left) {
        const FittedForm fit = fit_form(form, points.subspan(left));
        bool below = fit.sound;  // a plateau is lower than the law would have it
        for (std::size_t i = 0; i < left; ++i)
            below = below && points[i].loss < fit.loss(points[i].x);
        if (!below) continue;
        const double criterion =
            corrected_akaike(fit.squares + squares_about_mean(points.first(left)), count, own + 2);
        if (criterion < best) best = criterion, plateau = left;
    }
    return plateau;
}

/// How many of the points, from the lowest x on, lie on a straight line in logarithms before the loss levels
/// off at its floor: a pure power law there and a constant beyond, by the same criterion.
struct StraightPart {
    std::size_t points = 0;
    double exponent = 0;
};
StraightPart find_straight_part(std::span<const CurvePoint> points) {
    const CurveForm& form = curve_forms()[1];
    const std::size_t count = points.size(), own = form.parameters.size();
    StraightPart best;
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t inside = count; inside >= 4; --inside) {
        const FittedForm fit = fit_form(form, points.first(inside));
        const bool all = inside == count;
        const double rest = all ? 0 : squares_about_mean(points.subspan(inside));
        const double criterion = corrected_akaike(fit.squares + rest, count, own + (all ? 0 : 2));
        if (criterion < lowest) lowest = criterion, best = {inside, fit.parameters[1]};
    }
    return best;
}

/// A form on these points: how well it fits, and how well it foresees.
struct Candidate {
    FittedForm fit;
    double akaike = nan;
    double held_out = nan;
    std::vector<Cut> cuts;
};

std::vector<Cut> windows(const CurveForm& form, std::span<const CurvePoint> points) {
    std::vector<double> x, loss;
    for (const CurvePoint& point : points)
        x.push_back(point.x), loss.push_back(point.loss);
    const std::size_t fewest = std::max<std::size_t>(form.parameters.size() + 1, 4);
    return expanding_window(x, loss, fewest,
                            [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
                                std::vector<CurvePoint> some;
                                for (const std::size_t i : fitted)
                                    some.push_back(points[i]);
                                const FittedForm fit = fit_form(form, some);
                                if (!fit.sound) return std::nullopt;
                                return [fit, points](std::size_t i) { return fit.loss(points[i].x); };
                            });
}

std::vector<Candidate> compare_forms(std::span<const CurvePoint> points) {
    std::vector<Candidate> candidates;
    for (const CurveForm& form : curve_forms()) {
        Candidate candidate{fit_form(form, points), nan, nan, {}};
        candidate.akaike = corrected_akaike(candidate.fit.squares, points.size(), form.parameters.size());
        candidate.cuts = windows(form, points);
        candidate.held_out = held_out_error(candidate.cuts);
        candidates.push_back(std::move(candidate));
    }
    return candidates;
}

/// The form of lowest criterion; of those within 2 of it, which it does not tell apart, the one that foresees
/// the largest x best.
std::size_t choose(const std::vector<Candidate>& candidates) {
    constexpr double undecided = 2;
    double lowest = std::numeric_limits<double>::infinity();
    for (const Candidate& candidate : candidates)
        if (candidate.fit.sound) lowest = std::min(lowest, candidate.akaike);
    std::size_t chosen = candidates.size();
    for (std::size_t c = 0; c < candidates.size(); ++c) {
        const Candidate& candidate = candidates[c];
        if (!candidate.fit.sound || candidate.akaike > lowest + undecided) continue;
        if (chosen == candidates.size() || candidate.held_out < candidates[chosen].held_out ||
            (std::isnan(candidates[chosen].held_out) && candidate.akaike < candidates[chosen].akaike))
            chosen = c;
    }
    return chosen;
}

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

/// The exponent under every convention that all of the runs store.
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

/// The loss to expect further on, by the law and by the form that was chosen.
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

Series sampled(const std::string& label, Mark mark, int ink, double low, double high,
               const std::function<double(double)>& loss) {
    constexpr int samples = 80;
    Series series{label, mark, std::nullopt, ink, {}, {}, {}};
    for (int k = 0; k <= samples; ++k) {
        const double x = low * std::pow(high / low, static_cast<double>(k) / samples);
        series.x.push_back(x), series.y.push_back(loss(x));
    }
    return series;
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

/// What is left above the floor: a straight line where the law holds.
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

}  // namespace

void keep_best_at_each(Ladder& ladder) {
    std::stable_sort(ladder.used.begin(), ladder.used.end(), [&](const Run* a, const Run* b) {
        const double left = ladder.x(*a), right = ladder.x(*b);
        return left != right ? left < right : a->loss < b->loss;
    });
    std::vector<const Run*> kept;
    for (const Run* run : ladder.used) {
        if (kept.empty() || ladder.x(*run) > ladder.x(*kept.back()) * (1 + 1e-6)) {
            kept.push_back(run);
            continue;
        }
        const Run* worse = run;
        if (run->loss < kept.back()->loss) std::swap(worse, kept.back());
        ladder.left_out.push_back(worse);
    }
    ladder.used = std::move(kept);
}

void keep_lower_envelope(Ladder& ladder) {
    std::vector<const Run*> kept;
    for (const Run* run : ladder.used)
        if (kept.empty() || run->loss < kept.back()->loss)
            kept.push_back(run);
        else
            ladder.left_out.push_back(run);
    ladder.used = std::move(kept);
}

LawFit fit_single_variable(Ladder ladder, const FitOptions& options) {
    LawFit fit;
    fit.name = ladder.law;
    fit.objective = "least squares of log loss";
    fit.notes = ladder.notes;
    if ((fit.refused = too_few(ladder))) return fit;

    const std::vector<CurvePoint> all = points_of(ladder.used, ladder.x);
    const std::size_t plateau = find_plateau(all);
    std::vector<const Run*> left_out = ladder.left_out;
    left_out.insert(left_out.end(), ladder.used.begin(),
                    ladder.used.begin() + static_cast<std::ptrdiff_t>(plateau));
    const std::span<const Run* const> inside = std::span<const Run* const>(ladder.used).subspan(plateau);
    const std::vector<CurvePoint> points(all.begin() + static_cast<std::ptrdiff_t>(plateau), all.end());
    const auto quantity = [&](double x) { return format_quantity(x, ladder.axis.quantity); };
    fit.notes.push_back(std::to_string(points.size()) + " runs count, " + ladder.symbol + " from " +
                        quantity(points.front().x) + " to " + quantity(points.back().x));
    if (plateau > 0)
        fit.notes.push_back("the " + std::to_string(plateau) + " smallest " + ladder.symbol +
                            " lie on a plateau below the law (by AICc) and are left out");

    const std::vector<Candidate> candidates = compare_forms(points);
    const std::size_t chosen = choose(candidates);
    fit.tables.push_back(form_table(candidates, chosen, points.size()));
    const StraightPart straight = find_straight_part(points);
    fit.notes.push_back("a straight line in logarithms, exponent " +
                        format_significant(-straight.exponent, 3) + ", holds from " +
                        quantity(points.front().x) + " to " + quantity(points[straight.points - 1].x) + " (" +
                        std::to_string(straight.points) + " of " + std::to_string(points.size()) + " runs)" +
                        (straight.points < points.size() ? "; beyond, the floor" : ""));
    if (auto table = convention_table(ladder, inside)) fit.tables.push_back(std::move(*table));

    // Few points, each at an x of its own: leaving some out would change the question, so residuals are
    // drawn.
    FitOptions own = options;
    own.objective = {ObjectiveKind::l2};
    own.intervals = Intervals::profile;  // E and A are far from normal
    if (own.resampling == Resampling::cases) {
        own.resampling = Resampling::residuals;
        fit.redrawn = name(own.resampling);
    }
    const ParametricFit found = fit_parametric(law_of(curve_forms().front(), points), own);
    fit.warnings = found.warnings;
    fit.notes.insert(fit.notes.end(), found.notes.begin(), found.notes.end());
    fit.refused = found.refused;
    if (found.minima.empty()) return fit;
    fit.objective_value = found.minima.front().value;
    fit.parameters = found.parameters;
    for (Parameter& parameter : fit.parameters)  // none of E, A and alpha is ever negative
        parameter.estimate.low = std::max(parameter.estimate.low, 0.0);
    const FittedForm* best = chosen < candidates.size() ? &candidates[chosen].fit : nullptr;
    if (best != nullptr && chosen != 0)
        fit.warnings.push_back({Refusal::poor_prediction,
                                "the losses prefer " + std::string(best->form->equation) +
                                    " (by AICc, then by held-out error) do not extrapolate the power law "
                                    "without looking at both"});
    fit.figures.push_back(curve_figure(ladder, left_out, points, found, best));
    if (fit.refused) return fit;
    if (found.values[0] > 0.05 * points.back().loss)
        fit.figures.push_back(reducible_figure(ladder, points, found.values));
    fit.tables.push_back(ahead_table(ladder, found, best, points.back().x));
    const Column scale{"x", "fitted up to " + ladder.symbol, ladder.axis.quantity};
    Table validation = validation_table(candidates.front().cuts, scale, "loss");
    if (!validation.rows.empty()) fit.tables.push_back(std::move(validation));
    return fit;
}

}  // namespace isogrid::analysis
