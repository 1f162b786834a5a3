#include "analysis/answer/without_effect.hpp"

#include <algorithm>

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

}  // namespace

void say_what_has_no_effect(const FitOptions& options, std::vector<LawFit>& fits) {
    for (LawFit& fit : fits) {
        if (options.objective_asked) say_if_not_asked_for(options.objective, fit);
        if (options.resampling_asked && options.bootstrap > 0) say_if_not_redrawn(options.resampling, fit);
        if (options.intervals == Intervals::profile) say_if_not_profiled(fit);
    }
}

std::vector<std::string> options_without_effect(const Answer& all, std::optional<double> inference_tokens) {
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
    if (!all.references.empty() && best_of_largest_budget(all.runs) == nullptr)
        say("--reference",
            "these runs do not say their bits per byte (archives do where tokens are bytes, or with "
            "evaluation.sample = \"spread\")");
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

}  // namespace isogrid::analysis
