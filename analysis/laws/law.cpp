#include "analysis/laws/law.hpp"

#include <stdexcept>

namespace isogrid::analysis {

const Law& law_of(const LawFit& fit) {
    for (const Law& law : laws())
        if (law.name == fit.name) return law;
    throw std::logic_error("no law is called " + fit.name);
}

void tell_validation(const std::vector<Cut>& cuts, const Column& scale, const std::string& what, LawFit& fit,
                     const std::string& key) {
    if (cuts.empty()) return;
    fit.held_out.push_back({what, mean_error(cuts)});
    fit.tables.push_back(validation_table(cuts, scale, what));
    fit.tables.back().key = key;
}

const BatchRule* most_trusted(std::span<const BatchRule> rules) {
    constexpr double clearly = 0.5;  // errors of a few cuts: a little lower is chance
    const BatchRule* best = rules.empty() ? nullptr : &rules.front();
    for (const BatchRule& rule : rules)
        if (rule.held_out < clearly * best->held_out) best = &rule;  // never true of one that was not tried
    return best;
}

bool tell_fit(const ParametricFit& found, LawFit& fit) {
    fit.refused = found.refused;
    fit.warnings.insert(fit.warnings.end(), found.warnings.begin(), found.warnings.end());
    fit.notes.insert(fit.notes.end(), found.notes.begin(), found.notes.end());
    if (found.minima.empty()) return false;
    fit.objective_value = found.minima.front().value;
    fit.parameters = found.parameters;
    return true;
}

}  // namespace isogrid::analysis
