#include "analysis/fit/refusal.hpp"

namespace isogrid::analysis {

std::string_view name(Refusal refusal) {
    switch (refusal) {
        case Refusal::missing_columns:
            return "missing_columns";
        case Refusal::too_few_runs:
            return "too_few_runs";
        case Refusal::too_few_budgets:
            return "too_few_budgets";
        case Refusal::no_curves:
            return "no_curves";
        case Refusal::edge_minimum:
            return "edge_minimum";
        case Refusal::concave:
            return "concave";
        case Refusal::on_bound:
            return "on_bound";
        case Refusal::unbounded:
            return "unbounded";
        case Refusal::not_converged:
            return "not_converged";
        case Refusal::did_not_move:
            return "did_not_move";
        case Refusal::few_starts:
            return "few_starts";
        case Refusal::ill_conditioned:
            return "ill_conditioned";
        case Refusal::not_separable:
            return "not_separable";
        case Refusal::mixed_conventions:
            return "mixed_conventions";
        case Refusal::several_optima:
            return "several_optima";
        case Refusal::poor_prediction:
            return "poor_prediction";
        case Refusal::laws_differ:
            return "laws_differ";
        case Refusal::far_extrapolation:
            return "far_extrapolation";
    }
    return "unknown";
}

std::string to_string(const Reason& reason) {
    return std::string(name(reason.kind)) + ": " + reason.text;
}

}  // namespace isogrid::analysis
