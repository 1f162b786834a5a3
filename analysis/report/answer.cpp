#include "analysis/report/answer.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/check_runs.hpp"
#include "analysis/studies.hpp"

namespace isogrid::analysis {
namespace {

/// Power laws, optima of sweeps and the like are least squares whatever --objective says.
void say_if_not_asked_for(const Objective& asked, LawFit& fit) {
    const std::string wanted = to_string(asked);
    if (fit.objective.empty() || fit.objective.starts_with(wanted)) return;
    fit.notes.push_back("--objective " + wanted +
                        " has no effect on this law (its objective: " + fit.objective + ")");
}

/// Nor has --resample a say where replicates are no refits of the law to its runs.
void say_if_not_redrawn(Resampling asked, LawFit& fit) {
    if (fit.redrawn.empty()) return;
    fit.notes.push_back("--resample " + std::string(name(asked)) +
                        " has no effect on this law (its replicates draw again: " + fit.redrawn + ")");
}

/// The law of the runs that it is about; of fresh data, where it knows no other, and says so.
LawFit fit_without_repeats(const Law& law, const Runs& about, const FitOptions& options) {
    const Runs fresh = runs_for(law, about);
    const std::size_t repeated = about.used.size() - fresh.used.size();
    if (repeated == 0) return law.fit(about, options);
    LawFit fit;
    if (fresh.used.empty()) {
        fit.name = law.name;
        fit.refused = Reason{Refusal::too_few_runs,
                             "every run repeats its data (unique_tokens says so, and this law takes every "
                             "token for a new one) train on fresh data, or fit repetition"};
        return fit;
    }
    fit = law.fit(fresh, options);
    fit.notes.push_back(std::to_string(repeated) + " of " + std::to_string(about.used.size()) +
                        " runs repeat their data (unique_tokens says so) and are left out: this law takes "
                        "every token for a new one, and repetition knows what others are worth");
    return fit;
}

}  // namespace

std::vector<Role> missing_roles(const Law& law, const Runs& runs) {
    std::vector<Role> missing;
    for (const Role role : law.needs)
        if (!know(runs, role)) missing.push_back(role);
    return missing;
}

std::vector<std::string_view> missing_studies(const Law& law, const Runs& runs) {
    if (!missing_roles(law, runs).empty() || !runs_of_studies(law, runs).used.empty()) return {};
    return law.studies;
}

namespace {

/// The largest compute of a run that a law which recommends is fitted to; of any run where none recommends.
double largest_fitted(const Answer& all) {
    double largest = 0;
    for (const LawFit& fit : all.fits)
        if (fit.predict || fit.surface)
            largest = std::max(largest, largest_budget(runs_for(law_of(fit), all.runs)));
    return largest > 0 ? largest : largest_budget(all.runs);
}

}  // namespace

Answer answer(Runs runs, const std::vector<std::string>& law_names, const FitOptions& options,
              std::vector<double> targets, std::vector<Reference> references,
              std::optional<double> inference_tokens) {
    Answer all;
    all.runs = std::move(runs), all.options = options;
    all.targets = std::move(targets), all.references = std::move(references);
    all.warnings = check_runs(all.runs);
    for (const Law& law : laws()) {
        if (!law_names.empty() && std::find(law_names.begin(), law_names.end(), law.name) == law_names.end())
            continue;
        const Runs about = runs_of_studies(law, all.runs);
        NotAsked unasked{std::string(law.name), {}, {}, missing_studies(law, all.runs)};
        if (unasked.studies.empty())
            unasked.missing = missing_roles(law, about.used.empty() ? all.runs : about);
        for (const Role role : law.varied)
            if (law_names.empty() && unasked.studies.empty() && !vary(about, role))
                unasked.unvaried.push_back(role);
        if (!unasked.missing.empty() || !unasked.unvaried.empty() || !unasked.studies.empty())
            all.not_asked.push_back(std::move(unasked));
        else
            all.fits.push_back(fit_without_repeats(law, about, options));
    }
    all.largest_fitted = largest_fitted(all);
    if (all.targets.empty() && all.largest_fitted > 0) all.targets = {100 * all.largest_fitted};
    predict_validation(all.runs, options, all.fits);
    if (options.objective_asked)
        for (LawFit& fit : all.fits)
            say_if_not_asked_for(options.objective, fit);
    if (options.resampling_asked && options.bootstrap > 0)
        for (LawFit& fit : all.fits)
            say_if_not_redrawn(options.resampling, fit);
    for (const double target : all.targets)
        for (auto fit = all.fits.rbegin(); fit != all.fits.rend(); ++fit)
            if (!fit->refused && fit->predict && !(fit->surface && fit->surface->contradicted()))
                all.predictions.push_back(fit->predict(target));
    for (const double target : all.targets)
        if (auto decision = decide(all.fits, target, all.largest_fitted, inference_tokens,
                                   tokens_per_batch_unit(all.runs)))
            all.decisions.push_back(std::move(*decision));
    for (const Decision& decision : all.decisions)
        if (std::none_of(all.predictions.begin(), all.predictions.end(), [&](const Prediction& p) {
                return p.law == decision.law && p.flops == decision.flops;
            }))
            all.predictions.push_back(
                {decision.law, decision.flops, decision.parameters, decision.tokens, decision.loss});
    for (const double target : all.targets)
        for (const LawFit& fit : all.fits) {
            const bool listed =
                std::any_of(all.predictions.begin(), all.predictions.end(),
                            [&](const Prediction& p) { return p.law == fit.name && p.flops == target; });
            if (!fit.refused && fit.surface && !listed) all.rivals.push_back(prediction_of(fit, target));
        }
    return all;
}

}  // namespace isogrid::analysis
