#include "analysis/laws/exponents.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "analysis/fit/log_line.hpp"
#include "analysis/laws/families.hpp"
#include "analysis/laws/isoflop_budgets.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

Estimate named(const LawFit& fit, const std::string& name) {
    for (const Parameter& parameter : fit.parameters)
        if (parameter.name == name) return parameter.estimate;
    return {};
}

std::vector<Budget> budgets_of(const Runs& runs, const std::string& family) {
    std::vector<Budget> budgets = gather_budgets(runs_of_family(runs, family));
    find_minima(budgets);
    return budgets;
}

/// How much steeper log N* rises with log C than the first family's, by the line through their differences at
/// the budgets that both have. What the families share at a budget (the luck of a shape with its seeds, the
/// order of the data, the grid) cancels there; what is left scatters about the line, and says how sure its
/// slope is. Parabolas, unless others are asked for: an interpolant's choice between two sizes is not shared.
Estimate steeper(const std::vector<Budget>& family, const std::vector<Budget>& first,
                 const FitOptions& options) {
    const MinimumBy by = options.minimum == MinimumBy::akima ? MinimumBy::akima : MinimumBy::parabola;
    std::vector<LinePoint> differences;
    for (const Budget& budget : family)
        for (const Budget& reference : first)
            if (budget.flops == reference.flops && !budget.bottom(by).refused &&
                !reference.bottom(by).refused)
                differences.push_back(
                    {{std::log(budget.flops)}, budget.bottom(by).log_n - reference.bottom(by).log_n});
    if (differences.size() < 3) return {none, none, none, none};
    return fit_log_line(differences, {}, Weighting::equal, options).coefficient(1);
}

}  // namespace

void tell_exponents(const Runs& runs, const FitOptions& options, LawFit& fit) {
    const std::vector<std::string> families = families_of(runs);
    if (families.size() < 2) return;
    Table table{"exponents",
                "N*(C) of each family, from its budgets alone",
                {{"family", "family", Quantity::text},
                 {"parameters_exponent", "N* exp.", Quantity::number},
                 {"parameters_exponent_low", "from", Quantity::number},
                 {"parameters_exponent_high", "to", Quantity::number},
                 {"tokens_exponent", "D* exp.", Quantity::number},
                 {"difference", "against the first", Quantity::number},
                 {"difference_low", "from", Quantity::number},
                 {"difference_high", "to", Quantity::number},
                 {"status", "status", Quantity::text}},
                {}};
    const std::vector<Budget> first = budgets_of(runs, families.front());
    for (const std::string& family : families) {
        const LawFit isoflop = fit_isoflop(runs_of_family(runs, family), options);
        if (isoflop.refused) {
            table.rows.push_back(
                {family, none, none, none, none, none, none, none, std::string(name(isoflop.refused->kind))});
            continue;
        }
        const Estimate parameters = named(isoflop, "parameters_exponent");
        const Estimate difference = family == families.front()
                                        ? Estimate{none, none, none, none}
                                        : steeper(budgets_of(runs, family), first, options);
        table.rows.push_back({family, parameters.value, parameters.low, parameters.high,
                              named(isoflop, "tokens_exponent").value, difference.value, difference.low,
                              difference.high, std::string("ok")});
    }
    fit.tables.push_back(std::move(table));
}

}  // namespace isogrid::analysis
