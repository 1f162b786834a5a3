#include "analysis/laws/exponents.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr double normal_975 = 1.959964;

Estimate named(const LawFit& fit, const std::string& name) {
    for (const Parameter& parameter : fit.parameters)
        if (parameter.name == name) return parameter.estimate;
    return {};
}

std::vector<std::string> families_of(const Runs& runs) {
    std::vector<std::string> families;
    for (const Run& run : runs.used)
        if (!run.family.empty() && run.budget > 0 &&
            std::find(families.begin(), families.end(), run.family) == families.end())
            families.push_back(run.family);
    return families;
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
    Estimate first;
    for (const std::string& family : families) {
        Runs of_family = runs;
        std::erase_if(of_family.used, [&](const Run& run) { return run.family != family; });
        const LawFit isoflop = fit_isoflop(of_family, options);
        if (isoflop.refused) {
            table.rows.push_back(
                {family, none, none, none, none, none, none, none, std::string(name(isoflop.refused->kind))});
            continue;
        }
        const Estimate parameters = named(isoflop, "parameters_exponent");
        if (family == families.front()) first = parameters;
        const double difference = family == families.front() ? none : parameters.value - first.value;
        const double half = normal_975 * std::hypot(parameters.se, first.se);
        table.rows.push_back({family, parameters.value, parameters.low, parameters.high,
                              named(isoflop, "tokens_exponent").value, difference, difference - half,
                              difference + half, std::string("ok")});
    }
    fit.tables.push_back(std::move(table));
}

}  // namespace isogrid::analysis
