// How much work a trial is, beside its training steps.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "study/study.hpp"

namespace isogrid::cluster {

/// Training steps, of the size of its first, that take as long as the whole trial, evaluations included: a
/// token evaluated is a third of a token trained on, one forward of the three equal passes (Kaplan et al.
/// 2020, section 2.1).
inline double steps_worth(const study::Trial& trial) {
    const double evaluated = static_cast<double>(trial.evaluation.tokens) *
                             static_cast<double>(trial.evaluation.steps.size() + 1);  // and before step 1
    const auto a_step = static_cast<double>(trial.tokens_per_step());
    return static_cast<double>(trial.tokens()) / a_step + evaluated / a_step / 3;
}

/// What the cost of a step depends on: shape, first and last batch, leaves.
using StepKind = std::tuple<std::string, std::int64_t, std::int64_t, std::int64_t>;
StepKind step_kind(const study::Trial& trial);

/// Trials to time a step of before `workers` start, one of each shape: where trials are so few that some must
/// share ranks if none is to idle, who shares must be known at the start. Empty where one rank a trial does
/// as well, or where training takes no longer than a few times as long as timing.
std::vector<int> worth_measuring(const study::Study& study, int workers);

}  // namespace isogrid::cluster
