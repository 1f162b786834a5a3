// The compute-optimal frontier as three power laws: what the envelope and the isoFLOP minima have in common.
#pragma once

#include <span>
#include <vector>

#include "analysis/fit/power_law.hpp"
#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// N* = k_N C^a, D* = k_D C^b, L* = k_L C^c through the optima.
struct Frontier {
    PowerLaw parameters, tokens, loss;
};

/// Least squares in logarithms; takes optima at two or more different FLOPs.
Frontier fit_frontier(std::span<const Optimum> optima);

/// Writes the frontier into a law's answer: exponents as its parameters, the rest as derived, the sum of
/// squared residuals of log N as its objective, the three laws as its prediction, each with the replicates'
/// spread.
void answer_with(const Frontier& frontier, const std::vector<Frontier>& replicates, LawFit& fit);

}  // namespace isogrid::analysis
