// What experts are worth: the effective parameters of sparse models, Clark et al. 2022.
#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/alike.hpp"
#include "analysis/laws/experts_figures.hpp"
#include "analysis/laws/experts_model.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/surface_runs.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t linear = RoutedLaw::linear;

std::size_t different(const std::vector<RoutedRun>& runs, double RoutedRun::*of) {
    std::set<double> values;
    for (const RoutedRun& run : runs)
        values.insert(run.*of);
    return values.size();
}

/// Expanding windows over sizes: fitted on the small, tried on the large.
std::vector<Cut> validate(const std::vector<RoutedRun>& runs, bool saturates, const FitOptions& options) {
    std::vector<double> scale, observed;
    for (const RoutedRun& run : runs)
        scale.push_back(run.parameters), observed.push_back(run.loss);
    FitOptions once = options;
    once.bootstrap = 0;
    return expanding_window(
        scale, observed, linear + (saturates ? 4 : 2),
        [&](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
            std::vector<RoutedRun> some;
            for (const std::size_t i : fitted)
                some.push_back(runs[i]);
            if (different(some, &RoutedRun::parameters) < 2 || different(some, &RoutedRun::experts) < 2)
                return std::nullopt;
            const ParametricFit found = fit_routed(some, saturates, once);
            if (found.refused) return std::nullopt;
            return [law = RoutedLaw::of(found.values), &runs](std::size_t i) {
                return std::exp(law.log_loss(runs[i].parameters, runs[i].experts));
            };
        });
}

/// Of those that say how many experts they have.
std::vector<const Run*> sparse(const Runs& runs) {
    std::vector<const Run*> known;
    for (const Run& run : runs.used)
        if (run.experts && run.loss > 0 && (run.parameters > 0 || run.active_parameters))
            known.push_back(&run);
    return known;
}

std::vector<RoutedRun> routed(const std::vector<const Run*>& runs, bool active) {
    const std::vector<std::size_t> repeats = repeats_of(runs);
    std::vector<RoutedRun> all;
    for (const Run* run : runs)
        all.push_back({run->name, active ? *run->active_parameters : run->parameters, *run->experts,
                       run->loss, repeats[all.size()]});
    return all;
}

/// Where experts stop helping, exp(-b / c) (Clark et al. 2022, there Ncutoff): where they help at all, and
/// help less in larger models beyond doubt. A c that may as well be 0 puts it anywhere.
void tell_cutoff(const ParametricFit& found, LawFit& fit) {
    const Estimate &b = found.parameters[1].estimate, &c = found.parameters[2].estimate;
    const double least = std::isfinite(c.low) ? c.low : c.value;
    if (!(b.value < 0) || !(least > 0)) {
        fit.notes.push_back(
            "size_cutoff, where experts stop helping, is not known: it needs b below 0, and a c whose "
            "interval "
            "lies above 0");
        return;
    }
    fit.derived.push_back(derived(found, "size_cutoff", [](auto v) { return RoutedLaw::of(v).cutoff(); }));
    fit.notes.push_back(
        "beyond " + format_quantity(fit.derived.back().estimate.value, Quantity::parameters) +
        " parameters (size_cutoff) more experts would no longer lower the loss, if the law held that far");
}

void warn_of_different_tokens(const std::vector<const Run*>& runs, LawFit& fit) {
    const auto [least, most] = std::minmax_element(
        runs.begin(), runs.end(), [](const Run* a, const Run* b) { return a->tokens < b->tokens; });
    if ((*least)->tokens > 0 && !alike((*least)->tokens, (*most)->tokens))
        fit.warnings.push_back(
            {Refusal::mixed_conventions,
             "the runs differ in their tokens (the law knows sizes and experts only, and puts what "
             "data do down to them) compare runs of equal data"});
}

}  // namespace

LawFit fit_experts(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "experts";
    fit.objective = to_string(options.objective);
    const std::vector<const Run*> known = sparse(runs);
    const bool active = std::all_of(known.begin(), known.end(),
                                    [](const Run* run) { return run->active_parameters.has_value(); });
    const std::vector<RoutedRun> all = routed(known, active);
    const std::size_t sizes = different(all, &RoutedRun::parameters);
    const std::size_t counts = different(all, &RoutedRun::experts);
    if (all.size() < linear + 3 || sizes < 2 || counts < 2) {
        fit.refused =
            Reason{Refusal::too_few_runs,
                   std::to_string(all.size()) + " runs of " + std::to_string(sizes) + " sizes and " +
                       std::to_string(counts) +
                       " numbers of experts (7 runs and 2 of each are needed for 4 coefficients) add "
                       "sizes and numbers of experts"};
        return fit;
    }
    const bool enough = counts >= 5 && all.size() >= linear + 2 + 4;
    ParametricFit found = fit_routed(all, enough, options);
    bool saturates = enough;
    if (enough && found.refused) {
        fit.warnings.push_back({found.refused->kind, "saturation cannot be seen (" + found.refused->text +
                                                         "): E^ = E is fitted instead"});
        found = fit_routed(all, saturates = false, options);
    }
    if (!tell_fit(found, fit)) return fit;
    if (fit.refused) return fit;

    const RoutedLaws laws(found);
    tell_validation(validate(all, saturates, options), {"parameters", "N", Quantity::parameters}, "loss",
                    fit);
    fit.tables.push_back(effective_table(all, laws));
    fit.figures.push_back(loss_figure(all, laws.law));
    fit.figures.push_back(worth_figure(all, laws));
    fit.notes.push_back(
        active ? "N is the active parameters of each token"
               : "N is the runs' parameters: it must be the size of the dense model whose layers were "
                 "given experts (name the column active_parameters where parameters are totals)");
    if (!saturates && !enough)
        fit.notes.push_back("with fewer than 5 numbers of experts saturation cannot be fitted: E^ = E");
    tell_cutoff(found, fit);
    warn_of_different_tokens(known, fit);
    return fit;
}

}  // namespace isogrid::analysis
