#include "analysis/laws/single_variable.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/single_variable_figures.hpp"
#include "analysis/laws/surface_runs.hpp"

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

/// The whole numbers from `first` to `last`, or 40 of them spread evenly: a fit to all of a long curve at
/// each of its places would take the square of its length.
std::vector<std::size_t> places_to_try(std::size_t first, std::size_t last) {
    constexpr std::size_t most = 40;
    std::vector<std::size_t> places;
    if (first > last) return places;
    const std::size_t steps = std::min(most - 1, last - first);
    for (std::size_t i = 0; i <= steps; ++i)
        places.push_back(steps == 0 ? first : first + i * (last - first) / steps);
    return places;
}

/// How many of the lowest x lie on a plateau: a constant there and E + A x^-alpha beyond, against the law
/// alone, by Akaike's criterion. The constant and the place where it ends count as two parameters.
std::size_t find_plateau(std::span<const CurvePoint> points) {
    constexpr double clearly = 4;  // of the criterion: the broken curve is e^2 times as likely
    const CurveForm& form = curve_forms().front();
    const std::size_t count = points.size(), own = form.parameters.size();
    double best = corrected_akaike(fit_form(form, points).squares, count, own) - clearly;
    std::size_t plateau = 0;
    const std::size_t longest = std::min(count / 3, count - std::min(count, fewest_points));
    for (const std::size_t left : places_to_try(1, longest)) {
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

/// How many of the points, from the lowest x on, a straight line in logarithms describes: a pure power law
/// there and a constant beyond, by the same criterion. The constant is the floor only where the losses have
/// come near it (see beyond_the_line): a smooth bend is told from a line by it, too.
struct StraightPart {
    std::size_t points = 0;
    double exponent = 0;
};
StraightPart find_straight_part(std::span<const CurvePoint> points) {
    const CurveForm& form = curve_forms()[1];
    const std::size_t count = points.size(), own = form.parameters.size();
    StraightPart best;
    double lowest = std::numeric_limits<double>::infinity();
    for (const std::size_t inside : places_to_try(std::min<std::size_t>(4, count), count)) {
        const FittedForm fit = fit_form(form, points.first(inside));
        const bool all = inside == count;
        const double rest = all ? 0 : squares_about_mean(points.subspan(inside));
        const double criterion = corrected_akaike(fit.squares + rest, count, own + (all ? 0 : 2));
        if (criterion < lowest) lowest = criterion, best = {inside, fit.parameters[1]};
    }
    return best;
}

/// What becomes of the losses where the straight line ends.
std::string beyond_the_line(std::span<const CurvePoint> beyond, const FittedForm& with_floor) {
    if (beyond.empty()) return {};
    constexpr double near = 0.02;  // of the floor
    const double floor = with_floor.parameters.front();
    const bool reached = with_floor.sound && std::ranges::all_of(beyond, [&](const CurvePoint& point) {
                             return std::abs(point.loss - floor) <= near * floor;
                         });
    return reached ? "; beyond, the floor" : "; beyond, it bends";
}

std::vector<Cut> windows(const CurveForm& form, std::span<const CurvePoint> points) {
    std::vector<double> x, loss;
    for (const CurvePoint& point : points)
        x.push_back(point.x), loss.push_back(point.loss);
    const std::size_t fewest = std::max<std::size_t>(form.parameters.size() + 1, 4);
    const auto tried = places_to_try(fewest, points.size());
    return expanding_window(x, loss, fewest,
                            [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
                                if (!std::ranges::binary_search(tried, fitted.size())) return std::nullopt;
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

}  // namespace

std::vector<Run> mean_runs(const Runs& runs, Ladder& ladder) {
    std::vector<Run> means = averaged_over_seeds(runs.used);
    if (means.size() < runs.used.size())
        ladder.notes.push_back(
            "runs that differ by their seed alone count as one, with their mean loss: of " +
            std::to_string(runs.used.size()) + " runs " + std::to_string(means.size()) + " are left");
    return means;
}

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
    if (ladder.not_alone && (fit.refused = ladder.not_alone(ladder.used))) return fit;

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
                        beyond_the_line(std::span(points).subspan(straight.points), candidates.front().fit));
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
    if (!tell_fit(found, fit)) return fit;
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
    tell_validation(candidates.front().cuts, scale, "loss", fit);
    return fit;
}

}  // namespace isogrid::analysis
