// Two or more families of models on one axis of compute: who is better, by how much, and whether that turns.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <boost/math/distributions/fisher_f.hpp>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/banded_line.hpp"
#include "analysis/laws/compare_families.hpp"
#include "analysis/laws/exponents.hpp"
#include "analysis/laws/law.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t fewest_points = 4;  ///< of a family

/// The sum of squared residuals of log L at the least-squares optimum of a form.
double squares(const FamilyForm& form, const FamilyPoints& points, FitOptions options) {
    options.objective = {ObjectiveKind::l2, 0};
    options.bootstrap = 0;
    options.intervals = Intervals::bootstrap;
    ParametricLaw law = law_of(form, points.used, points.families);
    law.certify = false;
    const auto found = fit_parametric(law, options);
    return found.minima.empty() ? std::numeric_limits<double>::infinity() : found.minima.front().value;
}

/// How often equal slopes may be taken for unequal ones. The intervals do not know of the choice, and where
/// it is wrong they miss the multiplier at the end of the runs about every other time: at 1 in 20 that would
/// cost them 2 in 100 of what they promise.
constexpr double by_chance = 0.01;

/// The two forms side by side, and the chance that equal slopes would look as unequal (F test).
struct Choice {
    bool shared = true;
    double chance = 1;
    Table table;
};

Choice choose(FamilyForm form, const FamilyPoints& points, const FitOptions& options) {
    const auto n = static_cast<double>(points.used.size());
    Choice choice;
    choice.table = {"forms",
                    "One slope or several",
                    {{"form", "form", Quantity::text},
                     {"parameters", "parameters", Quantity::number},
                     {"squares", "squares of log loss", Quantity::number},
                     {"aicc", "AICc", Quantity::number}},
                    {}};
    std::array<double, 2> rest{}, count{};
    for (const bool shared : {true, false}) {
        form.shared = shared;
        const double k = static_cast<double>(form.parameters()), found = squares(form, points, options);
        rest[shared ? 0 : 1] = found, count[shared ? 0 : 1] = k;
        const double aicc = corrected_akaike(found, points.used.size(), form.parameters());
        choice.table.rows.push_back({std::string(shared ? "one slope" : "a slope each"), k, found, aicc});
    }
    const double freedom = n - count[1], extra = count[1] - count[0];
    if (freedom >= 1 && rest[1] > 0) {
        const double ratio = std::max(0.0, (rest[0] - rest[1]) / extra) / (rest[1] / freedom);
        choice.chance = cdf(complement(boost::math::fisher_f(extra, freedom), ratio));
    }
    choice.shared = !(choice.chance < by_chance);
    return choice;
}

Table multipliers(const FamilyForm& form, const FamilyPoints& points, const ParametricFit& found) {
    const auto [low, high] = points.span();
    Table table{"multipliers",
                "Compute that " + points.families[0] + " needs for the same loss, over the family's own",
                {{"family", "family", Quantity::text},
                 {"flops", "at C", Quantity::flops},
                 {"decades_beyond_runs", "decades beyond", Quantity::number},
                 {"multiplier", "times", Quantity::number},
                 {"low", "from", Quantity::number},
                 {"high", "to", Quantity::number}},
                {}};
    for (std::size_t family = 1; family < points.families.size(); ++family)
        for (const double flops : {low, high, 10 * high, 100 * high}) {
            const Estimate times =
                derived(found, "", [&](auto v) { return form.multiplier(v, family, flops); }).estimate;
            table.rows.push_back({points.families[family], flops, std::log10(flops / high), times.value,
                                  times.low, times.high});
        }
    return table;
}

/// Where laws cross, if they do; said in words, as a crossing far outside the runs is no finding.
void tell_crossings(const FamilyForm& form, const FamilyPoints& points, const ParametricFit& found,
                    LawFit& fit) {
    const auto [low, high] = points.span();
    for (std::size_t family = 1; family < points.families.size(); ++family) {
        const std::string& name = points.families[family];
        if (form.shared) {
            fit.notes.push_back(name + " and " + points.families[0] +
                                " are not seen to cross: one slope explains both");
            continue;
        }
        // Slopes that nearly agree put the crossing anywhere: its logarithm is what is summarized.
        const Estimate place =
            derived(found, "", [&](auto v) { return std::log10(form.crossing(v, family)); }).estimate;
        Estimate crossing{std::pow(10.0, place.value), std::nan(""), std::pow(10.0, place.low),
                          std::pow(10.0, place.high)};
        fit.derived.push_back({"crossing." + name, crossing});
        const bool inside = crossing.value >= low && crossing.value <= high;
        if (!inside)
            fit.warnings.push_back({Refusal::far_extrapolation,
                                    "the laws of " + name + " and " + points.families[0] + " cross at " +
                                        format_quantity(crossing.value, Quantity::flops) +
                                        " FLOPs (the runs span " + format_quantity(low, Quantity::flops) +
                                        " to " + format_quantity(high, Quantity::flops) +
                                        ") run both there before you "
                                        "count on it"});
    }
}

Figure curves(const FamilyForm& form, const FamilyPoints& points, const ParametricFit& found) {
    Figure figure{
        "compare-curves",
        "Loss of each family against compute",
        std::string(points.minima ? "Points are where the losses of a family's budget are lowest over size"
                                  : "Points are the best runs of a family at their compute") +
            ", lines its law, bands 95% intervals. A family further to the left needs less compute for the "
            "same loss.",
        {"training compute C (FLOPs)", Quantity::flops, true},
        {"loss (nats a token)", Quantity::loss, true},
        {}};
    const auto [low, high] = points.span();
    constexpr std::array inks = {2, 1, 3, 5, 6, 0};
    constexpr int samples = 50;
    for (std::size_t family = 0; family < points.families.size(); ++family) {
        const int ink = inks[family % inks.size()];
        BandedLine law(points.families[family], std::nullopt, ink);
        Series dots{"", Mark::points, std::nullopt, ink, {}, {}, {}};
        for (const double flops : log_spaced(low, 10 * high, samples))
            law.add(flops, derived(found, "", [&](auto v) { return form.loss(v, family, flops); }).estimate);
        for (const FamilyPoint& point : points.used)
            if (point.family == family) dots.x.push_back(point.flops), dots.y.push_back(point.loss);
        if (!law.band.x.empty()) figure.series.insert(figure.series.begin(), std::move(law.band));
        figure.series.push_back(std::move(law.line));
        figure.series.push_back(std::move(dots));
    }
    return figure;
}

std::vector<Cut> validate(FamilyForm form, const FamilyPoints& points, FitOptions options) {
    options.bootstrap = 0;
    options.intervals = Intervals::bootstrap;
    std::vector<double> scale, observed;
    for (const FamilyPoint& point : points.used)
        scale.push_back(point.flops), observed.push_back(point.loss);
    return expanding_window(scale, observed, form.parameters() + 2,
                            [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
                                FamilyPoints some;
                                some.families = points.families;
                                for (const std::size_t i : fitted)
                                    some.used.push_back(points.used[i]);
                                for (std::size_t family = 0; family < form.families; ++family)
                                    if (some.count(family) < fewest_points) return std::nullopt;
                                ParametricLaw law = law_of(form, some.used, some.families);
                                law.certify = false;
                                const ParametricFit found = fit_parametric(law, options);
                                if (found.refused) return std::nullopt;
                                return [&points, form, values = found.values](std::size_t i) {
                                    return form.loss(values, points.used[i].family, points.used[i].flops);
                                };
                            });
}

/// The minima of budgets where every family has enough of them, else lower envelopes of all.
FamilyPoints points_of(const Runs& runs, const FitOptions& options) {
    const MinimumBy by = options.minimum == MinimumBy::akima ? MinimumBy::akima : MinimumBy::parabola;
    FamilyPoints points = budget_minima(runs, by);
    for (std::size_t family = 0; family < points.families.size(); ++family)
        if (points.count(family) < fewest_points) return lower_envelopes(runs);
    return points;
}

/// A coarse grid of sizes comes less near to the best loss of a compute, or puts its minimum elsewhere, than
/// a fine one.
void warn_of_unequal_grids(const FamilyPoints& points, LawFit& fit) {
    constexpr double alike = 1.5;
    const auto [few, many] = std::minmax_element(points.sizes.begin(), points.sizes.end());
    if (!(*many > alike * *few)) return;
    const auto said = [&](auto at) {
        return points.families[static_cast<std::size_t>(at - points.sizes.begin())] + " has " +
               format_significant(*at, 2);
    };
    fit.warnings.push_back({Refusal::too_few_runs,
                            said(few) + " sizes a compute, " + said(many) +
                                " (what a family's grid misses of its best loss counts against it) run the "
                                "families on the same grid"});
}

std::optional<Reason> too_few(const FamilyPoints& points) {
    if (points.families.size() < 2)
        return Reason{Refusal::too_few_runs,
                      "one family (two are needed to compare) name what tells runs apart: "
                      "--columns family=COL"};
    for (std::size_t family = 0; family < points.families.size(); ++family)
        if (points.count(family) < fewest_points)
            return Reason{Refusal::too_few_runs,
                          points.families[family] + " has " + std::to_string(points.count(family)) +
                              " budgets at which it improves (" + std::to_string(fewest_points) +
                              " are needed) run it at more compute"};
    return std::nullopt;
}

}  // namespace

LawFit fit_compare(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "compare";
    fit.objective = to_string(options.objective);
    tell_exponents(runs, options, fit);
    const FamilyPoints points = points_of(runs, options);
    if ((fit.refused = too_few(points))) return fit;

    FamilyForm form{points.families.size(), true, 0};
    for (const FamilyPoint& point : points.used)
        form.mean += std::log(point.flops) / static_cast<double>(points.used.size());
    Choice choice = choose(form, points, options);
    form.shared = choice.shared;
    const ParametricFit found = fit_parametric(law_of(form, points.used, points.families), options);
    if (!tell_fit(found, fit)) return fit;
    fit.tables.push_back(std::move(choice.table));
    if (fit.refused) return fit;

    const std::string chance = format_significant(choice.chance, 2);
    fit.notes.push_back(
        form.shared ? "one slope for all families: slopes as different as those found come by chance in " +
                          chance + " of 1 (F test), so the families differ by a factor of compute"
                    : "a slope for each family: equal slopes would look as different in only " + chance +
                          " of 1 (F test), so what a family gains changes with compute");
    const double high = points.span().high;
    for (std::size_t family = 1; family < points.families.size(); ++family)
        fit.derived.push_back(derived(found, "compute_multiplier." + points.families[family],
                                      [&](auto v) { return form.multiplier(v, family, high); }));
    fit.tables.push_back(multipliers(form, points, found));
    tell_validation(validate(form, points, options), {"flops", "C up to", Quantity::flops}, "loss", fit);
    tell_crossings(form, points, found, fit);
    fit.notes.push_back("compute multipliers are against " + points.families[0] +
                        ": above 1, the family needs that much less compute for the same loss");
    warn_of_unequal_grids(points, fit);
    if (points.minima)
        fit.notes.push_back(
            "a family's loss at a budget is that of the minimum over its sizes, as isoflop finds it");
    if (points.left_out > 0)
        fit.notes.push_back(std::to_string(points.left_out) +
                            " runs are left out: others of their family do as well with no more compute");
    fit.figures.push_back(curves(form, points, found));
    return fit;
}

}  // namespace isogrid::analysis
