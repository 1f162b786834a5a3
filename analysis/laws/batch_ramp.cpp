// What batches that grow save against batches that stay: steps, and the loss that they cost.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/bootstrap.hpp"
#include "analysis/laws/alike.hpp"
#include "analysis/laws/law.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

using BySeed = std::map<std::string, const Run*>;

double mean_loss(const BySeed& runs) {
    double total = 0;
    for (const auto& [seed, run] : runs)
        total += run->loss;
    return total / static_cast<double>(runs.size());
}

/// Runs of one size and amount of data that chose their batches alike, at one learning rate.
struct Choice {
    double parameters = 0;
    double tokens = 0;                 ///< 0 where the runs do not say
    std::string name;                  ///< `batch_4`, `ramp`
    std::map<double, BySeed> at_rate;  ///< by the learning rate, 0 where the runs do not say
    BySeed by_seed;                    ///< at the rate chosen

    bool is_ramp() const { return name.starts_with("ramp"); }
    double steps() const { return *by_seed.begin()->second->steps; }
    double loss() const { return mean_loss(by_seed); }

    /// One rate for all seeds, as somebody would train with it: a rate for each seed would be the luck of the
    /// seed. Of those tried with most seeds the one of lowest mean loss.
    void choose_rate() {
        for (const auto& [rate, runs] : at_rate)
            if (by_seed.size() < runs.size() ||
                (by_seed.size() == runs.size() && mean_loss(runs) < mean_loss(by_seed)))
                by_seed = runs;
    }
};

std::vector<Choice> choices_of(const std::vector<Run>& runs) {
    std::vector<Choice> choices;
    for (const Run& run : runs) {
        if (!run.steps || run.family.empty()) continue;
        auto at = std::find_if(choices.begin(), choices.end(), [&](const Choice& known) {
            return known.parameters == run.parameters && alike(known.tokens, run.tokens) &&
                   known.name == run.family;
        });
        if (at == choices.end())
            at = choices.insert(at, Choice{run.parameters, run.tokens, run.family, {}, {}});
        const Run*& best = at->at_rate[run.learning_rate.value_or(0)][run.seed];
        if (best == nullptr || run.loss < best->loss) best = &run;
    }
    for (Choice& choice : choices)
        choice.choose_rate();
    return choices;
}

/// The best of several rates is lower than one rate by the tuning, and by the luck of their losses. Not so
/// much where one rate of three diverged and is no run to fit.
std::optional<Reason> unequally_tuned(const Choice& ramp, const Choice& fixed) {
    const std::size_t of_ramp = ramp.at_rate.size(), of_fixed = fixed.at_rate.size();
    if (std::max(of_ramp, of_fixed) < 2 * std::min(of_ramp, of_fixed)) return std::nullopt;
    const auto rates = [](std::size_t count) {
        return std::to_string(count) + (count == 1 ? " learning rate" : " learning rates");
    };
    return Reason{Refusal::too_few_runs,
                  format_quantity(ramp.parameters, Quantity::parameters) + " parameters: " + ramp.name +
                      " was run with " + rates(of_ramp) + ", " + fixed.name + " with " + rates(of_fixed) +
                      " (the best of more is lower, by tuning and by chance, and no interval knows) run both "
                      "with the same rates"};
}

/// Loss of the ramp less that of the fixed batch, seed by seed: Student's interval of their mean, and none
/// with one seed.
Estimate difference(const Choice& ramp, const Choice& fixed) {
    std::vector<double> differences;
    for (const auto& [seed, run] : ramp.by_seed)
        if (const auto other = fixed.by_seed.find(seed); other != fixed.by_seed.end())
            differences.push_back(run->loss - other->second->loss);
    Estimate estimate;
    estimate.value = estimate.se = estimate.low = estimate.high = none;
    if (differences.empty()) return estimate;
    const auto count = static_cast<double>(differences.size());
    double mean = 0, squares = 0;
    for (const double each : differences)
        mean += each / count;
    for (const double each : differences)
        squares += (each - mean) * (each - mean);
    estimate.value = mean;
    if (differences.size() < 2) return estimate;
    estimate.se = std::sqrt(squares / (count - 1) / count);
    const double half = student_reach(count - 1) * estimate.se;
    estimate.low = mean - half;
    estimate.high = mean + half;
    return estimate;
}

Table choice_table(const std::vector<Choice>& choices) {
    Table table{"choices",
                "Ways to choose batches, over the same tokens",
                {{"parameters", "N", Quantity::parameters},
                 {"choice", "batches", Quantity::text},
                 {"runs", "seeds", Quantity::number},
                 {"steps", "steps", Quantity::tokens},
                 {"learning_rate", "learning rate", Quantity::number},
                 {"loss", "loss", Quantity::loss}},
                {}};
    for (const Choice& choice : choices)
        table.rows.push_back({choice.parameters, choice.name, static_cast<double>(choice.by_seed.size()),
                              choice.steps(), choice.by_seed.begin()->second->learning_rate.value_or(none),
                              choice.loss()});
    return table;
}

/// Ramps save steps over the same tokens: of fewer any choice takes fewer.
bool comparable(const Choice& a, const Choice& b) {
    return a.parameters == b.parameters && alike(a.tokens, b.tokens);
}

std::string in_words(const Choice& ramp, const Choice& fixed, const Estimate& loss, bool one_amount) {
    const double share = ramp.steps() / fixed.steps();
    std::string text = format_quantity(ramp.parameters, Quantity::parameters) + " parameters";
    if (!one_amount) text += ", " + format_quantity(ramp.tokens, Quantity::tokens) + " tokens";
    text += ": " + ramp.name + " takes " + format_quantity(share, Quantity::percent) + " of the steps of " +
            fixed.name + ", and its loss is " + format_significant(std::abs(loss.value), 3) +
            (loss.value > 0 ? " higher" : " lower");
    if (!std::isfinite(loss.se)) return text + " (one seed: no interval)";
    const double sign = loss.value > 0 ? 1 : -1;
    const auto [low, high] = std::minmax({sign * loss.low, sign * loss.high});
    text += " (" + format_significant(low, 3) + " to " + format_significant(high, 3) + ")";
    if (loss.low <= 0 && loss.high >= 0) text += ", which the seeds do not tell from none";
    return text;
}

}  // namespace

LawFit fit_batch_ramp(const Runs& runs, const FitOptions&) {
    LawFit fit;
    fit.name = "batch_ramp";
    fit.objective = "differences of loss, seed by seed";
    const std::vector<Choice> choices = choices_of(runs.used);
    Table table{"savings",
                "What a ramp saves, and what it costs",
                {{"parameters", "N", Quantity::parameters},
                 {"ramp", "ramp", Quantity::text},
                 {"fixed", "against", Quantity::text},
                 {"steps_share", "of its steps", Quantity::percent},
                 {"loss_difference", "loss, less its", Quantity::number},
                 {"loss_difference_low", "from", Quantity::number},
                 {"loss_difference_high", "to", Quantity::number}},
                {}};
    const bool one_amount = std::all_of(choices.begin(), choices.end(), [&](const Choice& choice) {
        return choice.parameters != choices.front().parameters ||
               alike(choice.tokens, choices.front().tokens);
    });
    const Choice* first = nullptr;  // ramp that can be compared
    for (const Choice& ramp : choices)
        for (const Choice& fixed : choices) {
            if (!ramp.is_ramp() || fixed.is_ramp() || !comparable(ramp, fixed)) continue;
            const Estimate loss = difference(ramp, fixed);
            if (!std::isfinite(loss.value)) continue;
            if (first == nullptr) first = &ramp;
            if (auto unequal = unequally_tuned(ramp, fixed)) fit.warnings.push_back(std::move(*unequal));
            const double share = ramp.steps() / fixed.steps();
            table.rows.push_back(
                {ramp.parameters, ramp.name, fixed.name, share, loss.value, loss.low, loss.high});
            fit.notes.push_back(in_words(ramp, fixed, loss, one_amount));
            const std::string key = ramp.name + "_against_" + fixed.name + "_";
            if (!comparable(ramp, *first)) continue;  // of further sizes and data: the table
            fit.parameters.push_back({key + "steps_share", Estimate{share}});
            fit.parameters.push_back({key + "loss_difference", loss});
        }
    if (table.rows.empty()) {
        fit.refused = Reason{Refusal::too_few_runs,
                             "no size has a ramp and a fixed batch of one seed and of the same tokens, to 2% "
                             "(they are compared) run the study [batch_ramp]"};
        return fit;
    }
    fit.tables = {choice_table(choices), std::move(table)};
    return fit;
}

}  // namespace isogrid::analysis
