#include "analysis/report/answer.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/check_runs.hpp"
#include "analysis/report/sentences.hpp"
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

/// Nor has --intervals profile where intervals are of such replicates. Laws of one variable are told apart by
/// what they draw: their intervals are always profiles. Some laws say so themselves, and why.
void say_if_not_profiled(LawFit& fit) {
    const bool said = std::any_of(fit.notes.begin(), fit.notes.end(),
                                  [](const std::string& note) { return note.starts_with("--intervals"); });
    if (fit.redrawn.empty() || fit.redrawn == name(Resampling::residuals) || said) return;
    fit.notes.push_back(
        "--intervals profile has no effect on this law (its intervals are of replicates that draw "
        "again: " +
        fit.redrawn + ")");
}

/// What a replicate needs to be of use: fewer tell no percentile (summarize).
constexpr std::size_t fewest_replicates = 20;

/// One line for each option that was given and changes nothing: somebody may believe that it did.
std::vector<std::string> without_effect(const Answer& all, std::optional<double> inference_tokens) {
    const FitOptions& options = all.options;
    const auto fitted = [&](std::string_view law) {
        return std::any_of(all.fits.begin(), all.fits.end(),
                           [&](const LawFit& fit) { return fit.name == law; });
    };
    std::vector<std::string> notes;
    const auto say = [&](const std::string& option, const std::string& why) {
        std::string note = option + " has no effect: " + why;
        if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(std::move(note));
    };
    if (!options.hold_out.empty() && !fitted("schedule"))
        say("--hold-out", "schedule is not fitted, and other laws are fitted to all runs");
    if (options.check && !fitted("joint")) say("--check", "joint is not fitted");
    // joint_kaplan holds its form against joint's.
    if (options.equal_exponents && !fitted("joint") && !fitted("joint_kaplan"))
        say("--constrain", "joint is not fitted");
    if (options.overhead_from > 0 && !fitted("critical_batch"))
        say("--overhead-from", "critical_batch is not fitted");
    if (options.base && !fitted("repetition")) say("--base", "repetition is not fitted");
    // compare tells exponents of single families by isoFLOP minima.
    if (options.minimum != MinimumBy::best && !fitted("isoflop") && !fitted("compare"))
        say("--minimum", "isoflop is not fitted");
    if (options.resampling_asked && options.bootstrap == 0)
        say("--resample", "--bootstrap 0 draws nothing again");
    if (options.bootstrap > 0 && options.bootstrap < fewest_replicates)
        notes.push_back("--bootstrap " + std::to_string(options.bootstrap) +
                        " is too few for intervals from replicates, which need " +
                        std::to_string(fewest_replicates) + " (those from a profile need none)");
    if (!all.references.empty() && describe_compression(all).empty())
        say("--reference", "these runs do not say their bits per byte (archives do)");
    if (inference_tokens && all.decisions.empty()) say("--inference-tokens", "no law decides");
    for (const Decision& decision : all.decisions) {
        if (!inference_tokens || decision.lifetime) continue;
        const bool knows_sizes = std::any_of(all.fits.begin(), all.fits.end(), [&](const LawFit& fit) {
            return fit.name == decision.law && fit.surface;
        });
        say("--inference-tokens", decision.law + " decides, which " +
                                      (knows_sizes ? "finds no other size that comes to the same loss"
                                                   : "knows the loss of best sizes alone (a joint law "
                                                     "knows it of all)"));
    }
    return notes;
}

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
            all.fits.push_back(fit_to_its_runs(law, about, options));
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
    if (options.intervals == Intervals::profile)
        for (LawFit& fit : all.fits)
            say_if_not_profiled(fit);
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
    all.notes = without_effect(all, inference_tokens);
    return all;
}

}  // namespace isogrid::analysis
