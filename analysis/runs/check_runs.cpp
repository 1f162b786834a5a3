#include "analysis/runs/check_runs.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/bootstrap.hpp"

namespace isogrid::analysis {

namespace {

/// The median of ratios, where it is one that runs do not have: below `least` or above `most`.
std::optional<double> odd_median(std::vector<double> ratios, double least, double most) {
    const double middle = median(std::move(ratios));
    return middle < least || middle > most ? std::optional(middle) : std::nullopt;
}

/// Columns that were swapped, or count in millions or billions, show in tokens per parameter: Hoffmann et al.
/// 2022 find 20 best, and nobody trains far outside of these.
std::optional<Reason> odd_counts(const Runs& runs) {
    constexpr double least = 0.1, most = 1e6;
    std::vector<double> ratios;
    for (const Run& run : runs.used)
        if (run.parameters > 0 && run.tokens > 0) ratios.push_back(run.tokens / run.parameters);
    const auto middle = odd_median(std::move(ratios), least, most);
    if (!middle) return std::nullopt;
    return Reason{Refusal::mixed_conventions,
                  std::string("half of the runs have ") + (*middle < least ? "less than " : "more than ") +
                      format_significant(*middle, 2) +
                      " tokens a parameter (language models are trained on about 1 to 10,000: columns may be "
                      "swapped, or count "
                      "in millions or billions) check --columns, and count parameters and tokens one by one"};
}

/// Where N and D both count in thousands, millions or billions, D / N says nothing, and C = 6 N D is 10^6 to
/// 10^18 times too small. But no language model has so few parameters, or parts of one.
std::optional<Reason> odd_sizes(const Runs& runs) {
    constexpr double least = 1000, in_thousands = 1e6, whole = 1e-9;
    double largest = 0;
    std::size_t known = 0, in_parts = 0;
    const Run* example = nullptr;
    for (const Run& run : runs.used) {
        if (!(run.parameters > 0)) continue;
        largest = std::max(largest, run.parameters);
        ++known;
        if (run.parameters < in_thousands &&
            std::abs(run.parameters - std::round(run.parameters)) > whole * run.parameters) {
            ++in_parts;
            if (example == nullptr) example = &run;
        }
    }
    if (known == 0 || (largest >= least && 2 * in_parts < known)) return std::nullopt;
    return Reason{
        Refusal::mixed_conventions,
        (largest < least ? "the largest N is " + format_significant(largest, 4)
                         : "N has fractions: that of " + example->name + " is " +
                               format_significant(example->parameters, 7)) +
            " (the columns probably count in thousands, millions or billions: budgets, FLOPs and "
            "recommendations are then no plain numbers) give plain counts of parameters and tokens"};
}

/// FLOPs in another unit (exaFLOPs, GFLOPs, ..) show against 6 for a parameter and token (Kaplan et al. 2020,
/// section 2.1), and a budget in FLOPs then lies decades away from all runs. Attention, an embedding that is
/// not counted or gradients that are not taken make it no hundred times more or less.
std::optional<Reason> odd_flops(const Runs& runs) {
    constexpr double least = 0.01, most = 100;
    std::vector<double> ratios;
    for (const Run& run : runs.used)
        if (run.parameters > 0 && run.tokens > 0 && run.flops > 0)
            ratios.push_back(run.flops / (6 * run.active_parameters.value_or(run.parameters) * run.tokens));
    const auto middle = odd_median(std::move(ratios), least, most);
    if (!middle) return std::nullopt;
    return Reason{Refusal::mixed_conventions,
                  std::string("half of the runs have C / (6 N D) ") +
                      (*middle < least ? "below " : "above ") + format_significant(*middle, 2) +
                      " (training takes about 1: a column may count in another unit) check --columns, and "
                      "count FLOPs, parameters and tokens one by one"};
}

/// Batches in sequences make D a count of sequences, and 6 N D no FLOPs: nothing in the numbers shows it.
Reason unknown_unit(TokensUnit unit) {
    return {
        Refusal::mixed_conventions,
        (unit == TokensUnit::of_the_batch
             ? std::string("D counts the unit of the batch (it is batch times steps: no tokens or flops "
                           "column was named)")
             : std::string("D counts steps (no tokens, flops or batch column was named)")) +
            ": where that is no token, D counts no tokens, and C = 6 N D, budgets and recommendations are "
            "no FLOPs; name tokens= (or flops=), or a batch in tokens"};
}

/// Some rows in another unit than the rest leave the median where it was, and a law that is told both C and D
/// then contradicts itself. Conventions differ by less than ten times, but where N leaves out an embedding.
std::optional<Reason> stray_counts(const Runs& runs) {
    constexpr double apart = 10;
    constexpr std::size_t listed = 5;
    std::vector<std::pair<const Run*, double>> counted;
    std::vector<double> ratios;
    for (const Run& run : runs.used)
        if (run.parameters > 0 && run.tokens > 0 && run.flops > 0) {
            ratios.push_back(run.flops / (6 * run.active_parameters.value_or(run.parameters) * run.tokens));
            counted.emplace_back(&run, ratios.back());
        }
    if (counted.empty()) return std::nullopt;
    const double middle = median(std::move(ratios));
    std::erase_if(counted, [&](const auto& run) {
        return run.second <= apart * middle && middle <= apart * run.second;
    });
    if (counted.empty()) return std::nullopt;
    std::string names;
    for (std::size_t i = 0; i < std::min(listed, counted.size()); ++i)
        names += (i == 0 ? "" : ", ") + counted[i].first->name + " (" +
                 format_significant(counted[i].second, 3) + ")";
    if (counted.size() > listed) names += " and " + std::to_string(counted.size() - listed) + " more";
    return Reason{
        Refusal::mixed_conventions,
        "C / (6 N D) of " + std::to_string(counted.size()) + " of " + std::to_string(runs.used.size()) +
            " runs lies more than 10 times off the median, " + format_significant(middle, 3) + ": " + names +
            " (their N, D or C is in another unit, or their N leaves out an embedding that takes most "
            "of C) count them as in the other runs"};
}

}  // namespace

std::vector<Reason> check_runs(const Runs& runs) {
    std::vector<Reason> reasons;
    if (const TokensUnit unit = runs.conventions.tokens_unit; unit != TokensUnit::tokens)
        reasons.push_back(unknown_unit(unit));
    const auto counts = runs.conventions.tokens_unit == TokensUnit::tokens ? odd_counts(runs) : std::nullopt;
    if (counts)
        reasons.push_back(*counts);
    else if (auto sizes = odd_sizes(runs))
        reasons.push_back(std::move(*sizes));
    if (auto stray = stray_counts(runs)) reasons.push_back(std::move(*stray));
    if (auto odd = odd_flops(runs)) reasons.push_back(std::move(*odd));
    std::vector<const Run*> order;
    for (const Run& run : runs.used)
        if (run.parameters > 0 && run.tokens > 0 && run.flops > 0) order.push_back(&run);
    std::stable_sort(order.begin(), order.end(),
                     [](const Run* a, const Run* b) { return a->parameters < b->parameters; });
    const auto flops_per_parameter_token = [](const Run& run) {
        return run.flops / (run.parameters * run.tokens);
    };
    for (std::size_t i = 1; i < order.size(); ++i) {
        const Run &one = *order[i - 1], &other = *order[i];
        const double here = flops_per_parameter_token(one), there = flops_per_parameter_token(other);
        if (other.parameters > one.parameters * 1.01 || std::max(here, there) < 1.05 * std::min(here, there))
            continue;
        reasons.push_back({Refusal::mixed_conventions,
                           one.name + " has C / (N D) = " + format_significant(here, 3) + ", " + other.name +
                               " of the same size " + format_significant(there, 3) +
                               " (parameters or FLOPs were not counted alike) count all runs by one "
                               "convention"});
        break;
    }
    return reasons;
}

std::optional<double> tokens_per_batch_unit(const Runs& runs) {
    std::vector<double> units;
    for (const Run& run : runs.used)
        if (run.batch && run.steps && run.tokens > 0) units.push_back(run.tokens / (*run.batch * *run.steps));
    if (units.empty()) return std::nullopt;
    constexpr double alike = 1.05;
    const auto [least, most] = std::minmax_element(units.begin(), units.end());
    if (*most > alike * *least) return std::nullopt;
    // Steps are rounded up, and more so in short runs: the largest is nearest to the truth, a whole number.
    return *most > 0.95 ? std::round(*most) : *most;
}

}  // namespace isogrid::analysis
