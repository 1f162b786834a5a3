#include "analysis/report/sentences.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "base/wording.hpp"

namespace isogrid::analysis {
namespace {

std::string percent(double share) {
    return format_significant(std::round(1000 * share) / 10, 3) + "%";
}

std::string with_range(const Estimate& e, Quantity quantity) {
    std::string text = format_quantity(e.value, quantity);
    if (std::isfinite(e.low))
        text += " (" + format_quantity(e.low, quantity) + " to " + format_quantity(e.high, quantity) + ")";
    return text;
}

/// Whether a law's loss falls to 0, and is a lower limit beyond the runs.
bool has_no_floor(const std::string& law, const std::vector<LawFit>& fits) {
    const auto fit = std::find_if(fits.begin(), fits.end(), [&](const LawFit& f) { return f.name == law; });
    return fit != fits.end() && (!fit->surface || fit->surface->floor() == 0);
}

/// `a loss of 1.44 (1.4 to 1.5)`, `a loss of at least 1.44`.
std::string loss_in_words(const Estimate& loss, bool lower_limit) {
    return lower_limit ? "a loss of at least " + format_quantity(loss.value, Quantity::loss)
                       : "a loss of " + with_range(loss, Quantity::loss);
}

/// `2 decades`, `1 decade`.
std::string decades_in_words(double decades) {
    const std::string number = format_significant(decades, 2);
    return number + (number == "1" ? " decade" : " decades");
}

/// Batch, steps and learning rate, or which of them no law says.
std::string describe_recipe(const Decision& decision) {
    std::string text;
    if (decision.batch) {
        text += "Batch " + with_range(*decision.batch, Quantity::tokens);
        if (decision.batch_unit && *decision.batch_unit != 1)
            text += " of " + format_significant(*decision.batch_unit, 5) + " tokens each";
        text += " (" + decision.batch_law + ", its law in " + decision.batch_follows + ")";
        text += decision.steps
                    ? ", so " + with_range(*decision.steps, Quantity::tokens) + " steps. "
                    : ", in the unit of the runs. How many steps that makes is not known: the runs "
                      "do not say what one unit is in tokens (name steps= and tokens= beside "
                      "batch=). ";
    }
    if (decision.learning_rate)
        text += "Peak learning rate " + with_range(*decision.learning_rate, Quantity::number) + " (" +
                decision.learning_rate_law + "). ";
    if (decision.batch && decision.learning_rate) {
        text.pop_back();
        return text;
    }
    const char* missing = decision.batch           ? "which learning rate"
                          : decision.learning_rate ? "which batch"
                                                   : "which batch or learning rate";
    return text + "No law says " + missing +
           (decision.swept ? " suits it: too few sweeps show an optimum, or at too few sizes and lengths "
                             "(see hyperparameters)."
                           : " suits it: sweep them, and fit hyperparameters or critical_batch.");
}

}  // namespace

std::string to_string(const std::vector<Role>& missing) {
    std::string text;
    for (std::size_t i = 0; i < missing.size(); ++i)
        text += (i == 0 ? "" : i + 1 < missing.size() ? ", " : " and ") + std::string(name(missing[i]));
    return text;
}

std::string describe(const NotAsked& law) {
    if (!law.studies.empty()) {
        std::string text = "no run is of the study";
        for (std::size_t i = 0; i < law.studies.size(); ++i)
            text += (i == 0 ? " " : " or ") + std::string(law.studies[i]);
        return text;
    }
    if (!law.missing.empty()) return "needs " + to_string(law.missing);
    return "the same " + to_string(law.unvaried) + " in all runs";
}

std::string describe_verdict(const LawFit& fit, const Answer& answer) {
    if (fit.refused) return "refused: " + std::string(name(fit.refused->kind));
    return !answer.decisions.empty() && answer.decisions.front().law == fit.name ? "decides" : "stands";
}

std::string describe_warnings(const LawFit& fit) {
    std::vector<std::pair<Refusal, int>> kinds;
    for (const Reason& warning : fit.warnings) {
        const auto known =
            std::find_if(kinds.begin(), kinds.end(), [&](auto& k) { return k.first == warning.kind; });
        known == kinds.end() ? void(kinds.emplace_back(warning.kind, 1)) : void(++known->second);
    }
    std::string text;
    for (const auto& [kind, times] : kinds)
        text += (text.empty() ? "" : ", ") + std::string(name(kind)) +
                (times > 1 ? " (" + std::to_string(times) + ")" : "");
    return text;
}

std::string describe_held_out(const LawFit& fit) {
    std::string text;
    for (const HeldOut& held_out : fit.held_out)
        text += (text.empty() ? "" : ", ") + held_out.what + " " +
                format_quantity(held_out.mean_error, Quantity::percent);
    return text;
}

std::string describe_compression(const Answer& answer) {
    const Run* best = best_of_largest_budget(answer.runs);
    if (best == nullptr) return {};
    // Sweeps of rates, batches or data have no budgets.
    std::string text = std::string("The best trial ") +
                       (best->budget > 0 ? "of the largest budget, " : "of those that cost most, ") +
                       best->name + ", reaches " + format_significant(best->bits_per_byte, 4) +
                       " bits per byte on held-out text";
    for (std::size_t i = 0; i < answer.references.size(); ++i) {
        const Reference& reference = answer.references[i];
        const double ratio = best->bits_per_byte / reference.bits_per_byte;
        text += (i == 0 ? ": " : i + 1 < answer.references.size() ? ", " : " and ");
        text += ratio < 1 ? percent(1 - ratio) + " better than " : percent(ratio - 1) + " short of ";
        text += reference.name + " (" + format_significant(reference.bits_per_byte, 4) + ")";
    }
    return text + ".";
}

std::string describe_agreement(const Answer& answer) {
    Extent sizes, losses, with_floor, without_floor;
    std::vector<std::string> floorless;
    std::size_t count = 0;
    for (const Prediction& prediction : answer.predictions)
        if (prediction.flops == answer.targets.at(0)) {
            sizes.add(prediction.parameters.value), losses.add(prediction.loss.value);
            const bool falls_to_zero = has_no_floor(prediction.law, answer.fits);
            (falls_to_zero ? without_floor : with_floor).add(prediction.loss.value);
            if (falls_to_zero) floorless.push_back(prediction.law);
            ++count;
        }
    if (count < 2) return {};
    const double ratio = sizes.high / sizes.low, apart = losses.high / losses.low - 1;
    if (!(ratio > 0)) return {};
    const std::string differ = "The laws differ by a factor of " + format_significant(ratio, 2) +
                               " over the best size there, and by " +
                               format_quantity(apart, Quantity::percent) + " over its loss";
    constexpr double far = 1.1;  // laws whose losses differ by more are of different opinions
    if (ratio <= 2 && apart <= far - 1) return differ + ".";
    // No runs bring a law without a floor to one with it.
    const bool by_floor = ratio <= 2 && !floorless.empty() && floorless.size() < count &&
                          with_floor.high <= far * with_floor.low &&
                          without_floor.high <= far * without_floor.low &&
                          without_floor.high < with_floor.low;
    if (by_floor)
        return differ + ", as " + base::listed(std::span<const std::string>(floorless)) +
               (floorless.size() > 1 ? " have no floor: their losses there are lower limits."
                                     : " has no floor: its loss there is a lower limit.");
    return differ + ": more budgets, or larger ones, would settle it.";
}

bool loss_is_lower_limit(const Prediction& prediction, const Answer& answer) {
    return prediction.flops > answer.largest_fitted && has_no_floor(prediction.law, answer.fits);
}

std::string describe(const Prediction& prediction, const Answer& answer) {
    return "For " + format_quantity(prediction.flops, Quantity::flops) + " FLOPs train " +
           with_range(prediction.parameters, Quantity::parameters) + " parameters on " +
           with_range(prediction.tokens, Quantity::tokens) + " tokens, " +
           format_significant(prediction.tokens.value / prediction.parameters.value, 3) +
           " tokens a parameter; expect " +
           loss_in_words(prediction.loss, loss_is_lower_limit(prediction, answer)) + ".";
}

std::string describe_rival(const Prediction& rival, const Answer& answer) {
    return with_range(rival.parameters, Quantity::parameters) + " parameters on " +
           with_range(rival.tokens, Quantity::tokens) + " tokens, " +
           loss_in_words(rival.loss, loss_is_lower_limit(rival, answer));
}

std::vector<std::string> describe(const Decision& decision) {
    std::vector<std::string> sentences = {
        "For " + format_quantity(decision.flops, Quantity::flops) + " FLOPs train " +
            with_range(decision.parameters, Quantity::parameters) + " parameters on " +
            with_range(decision.tokens, Quantity::tokens) + " tokens, " +
            format_significant(decision.tokens.value / decision.parameters.value, 3) +
            " tokens a parameter; expect " +
            loss_in_words(decision.loss, decision.floorless && decision.decades > 0) + " (" + decision.law +
            ").",
        describe_recipe(decision)};
    if (decision.reached_already)
        sentences.push_back("But a run has come to " +
                            format_quantity(*decision.reached_already, Quantity::loss) +
                            " already: the law does not describe the best runs, and its loss is none to "
                            "expect.");
    if (decision.decades > 0)
        sentences.push_back(
            "This is " + decades_in_words(decision.decades) +
            " of compute beyond the largest run; the interval does not cover the risk that the law fails "
            "out there." +
            (decision.floorless ? " It has no floor: there its loss is a lower limit." : ""));
    if (const auto& life = decision.lifetime)
        sentences.push_back(
            "If it will also read or write " + format_quantity(life->inference_tokens, Quantity::tokens) +
            " tokens, the same loss is cheapest with " + with_range(life->parameters, Quantity::parameters) +
            " parameters trained on " + with_range(life->tokens, Quantity::tokens) +
            " tokens: " + with_range(life->training_flops, Quantity::flops) + " FLOPs of training, " +
            with_range(life->total_flops, Quantity::flops) + " over its whole life, " +
            percent(1 - life->total_flops.value / life->compute_optimal_total) +
            " less than with the model that is cheapest to train.");
    return sentences;
}

}  // namespace isogrid::analysis
