#include "analysis/answer/doubts.hpp"

#include <algorithm>
#include <iterator>

#include "analysis/answer/studies.hpp"
#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"

namespace isogrid::analysis {

namespace {

std::string interval(const Estimate& size) {
    return format_quantity(size.value, Quantity::parameters) + " (" +
           format_quantity(size.low, Quantity::parameters) + " to " +
           format_quantity(size.high, Quantity::parameters) + ")";
}

/// A law may hold over sizes and over tokens, and yet not where there are far more tokens for a parameter
/// than in any run.
void doubt_the_ratio(const LawFit& law, const Runs& runs, Decision& decision) {
    constexpr double rounding = 1.1;
    Extent tried;
    const Runs fitted = runs_for(law_of(law), runs);
    if (fitted.used.empty()) return;
    for (const Run& run : fitted.used)
        tried.add(run.tokens / run.parameters);
    const double ratio = decision.tokens.value / decision.parameters.value;
    if (!(tried.low > 0) || (ratio <= rounding * tried.high && ratio >= tried.low / rounding)) return;
    decision.warnings.push_back(
        {Refusal::far_extrapolation,
         format_significant(ratio, 3) + " tokens a parameter were not tried (runs have " +
             format_significant(tried.low, 3) + " to " + format_significant(tried.high, 3) +
             ", and a law may fail beyond) train runs of that ratio too"});
}

/// Without intervals, as from no replicates, nothing is said.
void doubt_disagreement(const std::vector<Prediction>& predictions, Decision& decision) {
    for (const Prediction& other : predictions) {
        if (other.law == decision.law || other.flops != decision.flops) continue;
        const Estimate &here = decision.parameters, &there = other.parameters;
        if (!(there.low > here.high) && !(there.high < here.low)) continue;
        decision.warnings.push_back(
            {Refusal::laws_differ, decision.law + " says " + interval(here) + " parameters, and " +
                                       other.law + " " + interval(there) +
                                       " (each outside of the other's interval: one of them does not hold "
                                       "there) do not trust either yet; add budgets, or larger ones"});
    }
}

}  // namespace

void add_doubts(const Answer& all, Decision& decision) {
    std::vector<Reason>& warnings = decision.warnings;
    // A unit that was not meant is of no harm until somebody takes the numbers.
    std::ranges::copy_if(all.warnings, std::back_inserter(warnings),
                         [](const Reason& warning) { return warning.kind == Refusal::mixed_conventions; });
    const auto law = std::find_if(all.fits.begin(), all.fits.end(),
                                  [&](const LawFit& fit) { return fit.name == decision.law; });
    if (law != all.fits.end()) {
        // The law stands: what had too few runs was left out of it.
        std::ranges::copy_if(law->warnings, std::back_inserter(warnings),
                             [](const Reason& warning) { return warning.kind != Refusal::too_few_runs; });
        doubt_the_ratio(*law, all.runs, decision);
    }
    doubt_disagreement(all.predictions, decision);
}

}  // namespace isogrid::analysis
