#include "analysis/laws/law.hpp"

#include <stdexcept>

namespace isogrid::analysis {

const Law& law_of(const LawFit& fit) {
    for (const Law& law : laws())
        if (law.name == fit.name) return law;
    throw std::logic_error("no law is called " + fit.name);
}

Table validation_table(const std::vector<Cut>& cuts, const Column& scale, const std::string& what) {
    Table table{"validation",
                "Fitted below, tried above: relative error of the predicted " + what,
                {scale,
                 {"fitted", "fitted", Quantity::number},
                 {"predicted", "predicted", Quantity::number},
                 {"decades", "decades", Quantity::number},
                 {"mean_error", "mean error", Quantity::percent},
                 {"bias", "bias", Quantity::percent},
                 {"worst", "worst", Quantity::percent}},
                {}};
    for (const Cut& cut : cuts)
        table.rows.push_back({cut.cut, static_cast<double>(cut.fitted), static_cast<double>(cut.predicted),
                              cut.decades, cut.mean_error, cut.bias, cut.worst});
    return table;
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
