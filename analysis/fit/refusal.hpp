// Why a fit is refused or must be read with care. A refusal is a result: the runs cannot answer.
#pragma once

#include <string>
#include <string_view>

namespace isogrid::analysis {

enum class Refusal {
    missing_columns,  ///< the runs do not hold what the law is about
    too_few_runs,     ///< fewer runs or sizes than the law needs
    too_few_budgets,  ///< fewer usable isoFLOP budgets than a power law needs
    no_curves,        ///< only the runs' ends are known
    edge_minimum,     ///< the lowest loss lies at the edge of what was tried
    concave,          ///< the parabola opens downwards
    on_bound,         ///< a parameter ended where the law stops making sense
    unbounded,        ///< the objective keeps falling along some direction: that parameter has no upper limit
    not_converged,    ///< the optimizer stopped before a minimum
    did_not_move,     ///< the optimizer ended where it began
    few_starts,       ///< hardly any start reaches the lowest objective
    ill_conditioned,  ///< the runs do not tell the parameters apart
    not_separable,    ///< two exponents cannot be told apart: sizes and tokens moved together
    mixed_conventions,  ///< counts under different conventions stand in one column
    several_optima,     ///< another local optimum is nearly as good
    poor_prediction,    ///< runs held out are predicted badly
    laws_differ,        ///< two laws' intervals of one number do not meet
    far_extrapolation   ///< the prediction lies many decades beyond the runs
};
std::string_view name(Refusal refusal);

struct Reason {
    Refusal kind = Refusal::too_few_runs;
    std::string text;  ///< `problem (why) what to do`
};
/// `edge_minimum: problem (why) what to do`.
std::string to_string(const Reason& reason);

}  // namespace isogrid::analysis
