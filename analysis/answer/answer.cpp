#include "analysis/answer/answer.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "analysis/answer/doubts.hpp"
#include "analysis/answer/studies.hpp"
#include "analysis/answer/without_effect.hpp"
#include "analysis/runs/check_runs.hpp"

namespace isogrid::analysis {
namespace {

/// The law of the runs that it is about; of one family and of fresh data, where it knows no other, and says
/// so.
LawFit fit_to_its_runs(const Law& law, const Runs& about, const FitOptions& options) {
    const auto [alike, note] = family_for(law, about);
    const Runs fresh = runs_for(law, about);
    const std::size_t repeated = alike.used.size() - fresh.used.size();
    LawFit fit;
    if (fresh.used.empty()) {
        fit.name = law.name;
        fit.refused = Reason{Refusal::too_few_runs,
                             "every run repeats its data (unique_tokens says so, and this law takes every "
                             "token for a new one) train on fresh data, or fit repetition"};
    } else {
        fit = law.fit(fresh, options);
    }
    if (!note.empty()) fit.notes.push_back(note);
    if (repeated > 0 && !fresh.used.empty())
        fit.notes.push_back(
            std::to_string(repeated) + " of " + std::to_string(alike.used.size()) +
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

const Run* best_of_largest_budget(const Runs& runs) {
    const double largest = largest_budget(runs);
    const Run* best = nullptr;
    for (const Run& run : runs.used)
        if (std::isfinite(run.bits_per_byte) && run.flops > 0.95 * largest &&
            (best == nullptr || run.bits_per_byte < best->bits_per_byte))
            best = &run;
    return best;
}

namespace {

/// Fits the laws named, or all; those that the runs cannot be asked about are listed with what is missing.
void fit_laws(const std::vector<std::string>& law_names, Answer& all) {
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
            all.fits.push_back(fit_to_its_runs(law, about, all.options));
    }
}

/// The largest compute of a run that a law which recommends is fitted to; of any run where none recommends.
double largest_fitted(const Answer& all) {
    double largest = 0;
    for (const LawFit& fit : all.fits)
        if (fit.predict || fit.surface)
            largest = std::max(largest, largest_budget(runs_for(law_of(fit), all.runs)));
    return largest > 0 ? largest : largest_budget(all.runs);
}

bool predicts(const std::vector<Prediction>& predictions, std::string_view law, double flops) {
    return std::any_of(predictions.begin(), predictions.end(),
                       [&](const Prediction& p) { return p.law == law && p.flops == flops; });
}

/// What each law expects of the targets, and who decides.
void recommend(std::optional<double> inference_tokens, Answer& all) {
    for (const double target : all.targets)
        for (auto fit = all.fits.rbegin(); fit != all.fits.rend(); ++fit)
            if (!fit->refused && fit->predict && !(fit->surface && fit->surface->contradicted()))
                all.predictions.push_back(fit->predict(target));
    for (const double target : all.targets)
        if (auto decision = decide(all.fits, target, all.largest_fitted, inference_tokens,
                                   tokens_per_batch_unit(all.runs))) {
            add_doubts(all, *decision);
            all.decisions.push_back(std::move(*decision));
        }
    for (const Decision& decision : all.decisions)
        if (!predicts(all.predictions, decision.law, decision.flops))
            all.predictions.push_back(
                {decision.law, decision.flops, decision.parameters, decision.tokens, decision.loss});
    for (const double target : all.targets)
        for (const LawFit& fit : all.fits)
            if (!fit.refused && fit.surface && !predicts(all.predictions, fit.name, target))
                all.rivals.push_back(prediction_of(fit, target));
}

}  // namespace

Answer answer(Runs runs, const std::vector<std::string>& law_names, const FitOptions& options,
              std::vector<double> targets, std::vector<Reference> references,
              std::optional<double> inference_tokens) {
    Answer all;
    all.runs = std::move(runs), all.options = options;
    all.targets = std::move(targets), all.references = std::move(references);
    all.warnings = check_runs(all.runs);
    fit_laws(law_names, all);
    all.largest_fitted = largest_fitted(all);
    if (all.targets.empty() && all.largest_fitted > 0) all.targets = {100 * all.largest_fitted};
    predict_validation(all.runs, options, all.fits);
    say_what_has_no_effect(options, all.fits);
    recommend(inference_tokens, all);
    all.notes = options_without_effect(all, inference_tokens);
    return all;
}

}  // namespace isogrid::analysis
