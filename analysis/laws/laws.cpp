// The table of laws.
#include <array>

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

std::string_view name(Refusal refusal) {
    switch (refusal) {
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
        case Refusal::not_converged:
            return "not_converged";
        case Refusal::did_not_move:
            return "did_not_move";
        case Refusal::ill_conditioned:
            return "ill_conditioned";
    }
    return "unknown";
}

std::string to_string(const Reason& reason) {
    return std::string(name(reason.kind)) + ": " + reason.text;
}

std::span<const Law> laws() {
    static constexpr std::array table = {
        Law{"envelope", "Lower envelope of the training curves",
            "N* = k C^a, D* = m C^b on min over runs of L(C)",
            "Hoffmann et al. 2022, section 3.1 (approach 1)", fit_envelope},
        Law{"isoflop", "Minima of the isoFLOP parabolas",
            "L = L* + c (log N - log N*)^2 a budget; N* = k C^a, D* = m C^b",
            "Hoffmann et al. 2022, section 3.2 (approach 2)", fit_isoflop},
        Law{"joint", "Joint law of size and data", "L(N, D) = E + A / N^alpha + B / D^beta",
            "Hoffmann et al. 2022, section 3.3 (approach 3)", fit_joint},
    };
    return table;
}

}  // namespace isogrid::analysis
