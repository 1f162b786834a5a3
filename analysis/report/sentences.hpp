// The answer in sentences, which the text and the page have in common.
#pragma once

#include <string>
#include <vector>

#include "analysis/answer/answer.hpp"

namespace isogrid::analysis {

/// `batch and steps`.
std::string to_string(const std::vector<Role>& roles);

/// `needs batch and steps`, `the same learning_rate in all runs`, `no run is of the study isoflop`.
std::string describe(const NotAsked& law);

/// How near the best run of the largest budget, or of those that cost most where it is of none, comes to the
/// references, in words; empty when the runs know no bits per byte.
std::string describe_compression(const Answer& answer);

/// `decides`, `stands`, `refused: edge_minimum`.
std::string describe_verdict(const LawFit& fit, const Answer& answer);

/// `on_bound, few_starts (2)`: each kind of the law's warnings once, with how often.
std::string describe_warnings(const LawFit& fit);

/// `best size 71%, lowest loss 3.6%`: how far off the law was on what it had not seen; empty where it was not
/// tried.
std::string describe_held_out(const LawFit& fit);

/// What to train for the decision's budget, in sentences.
std::vector<std::string> describe(const Decision& decision);

/// `365k parameters on 139M tokens, a loss of 1.44`, with intervals: a line for each of `rivals`.
std::string describe_rival(const Prediction& rival, const Answer& answer);

/// `For 1.00e+18 FLOPs train 12M parameters on 240M tokens ...`, a sentence a prediction.
std::string describe(const Prediction& prediction, const Answer& answer);

/// Whether the loss predicted is one that a law without a floor says of a budget beyond the runs: the truth
/// lies above it, and its interval says nothing of that.
bool loss_is_lower_limit(const Prediction& prediction, const Answer& answer);

/// How far the laws differ over the first target's best size, in a sentence; empty for fewer than two laws.
std::string describe_agreement(const Answer& answer);

}  // namespace isogrid::analysis
