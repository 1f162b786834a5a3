// The compute-optimal frontier as three power laws: what the envelope and the isoFLOP minima have in common.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "analysis/fit/power_law.hpp"
#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// N* = k_N C^a, D* = k_D C^b, L* = k_L C^c through the optima.
struct Frontier {
    PowerLaw parameters, tokens, loss;
};

/// How much each optimum counts: its size and tokens, and its loss. Empty: all the same.
struct FrontierWeights {
    std::vector<double> size, loss;
};

/// Least squares in logarithms; takes optima at two or more different FLOPs.
Frontier fit_frontier(std::span<const Optimum> optima, const FrontierWeights& weights = {});

/// The same law of resampled runs, and how much wider than their spread its intervals are (see t_widening).
struct FrontierReplicates {
    std::vector<Frontier> frontiers;
    double size_widening = 1, loss_widening = 1;
};

/// Writes the frontier into a law's answer: exponents as its parameters, the rest as derived, the sum of
/// squared residuals of log N as its objective, the three laws as its prediction, each with the replicates'
/// spread.
void answer_with(const Frontier& frontier, const FrontierReplicates& replicates, LawFit& fit);

/// exp of a number of the frontier: what is positive is spread in logarithms.
Estimate spread_of_log(const Frontier& frontier, const std::vector<Frontier>& replicates, double widening,
                       const std::function<double(const Frontier&)>& log_of);

/// Says in `fit` how the frontier did in expanding windows: fitted on the optima of small budgets, tried on
/// those of large ones, for N* and for the loss.
void tell_frontier_validation(std::span<const Optimum> optima, const FrontierWeights& weights, LawFit& fit);

}  // namespace isogrid::analysis
