// What tells the terms of the multi-power law apart: a rate that falls, and schedules that part ways.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "analysis/laws/schedule.hpp"

namespace isogrid::analysis {

/// Whether a learning rate comes to lie a fifth or more below its highest so far: a warm-up only rises.
bool falls(std::span<const double> rates);

/// How many intervals between its points a schedule has after its warm-up, and over how many of them its rate
/// changes much but does not jump.
struct LargeChanges {
    std::size_t number = 0, intervals = 0;
};

/// Those of a schedule whose rate is not known between its points: it changes much over more than a quarter
/// of the intervals. Nothing where it is known, as one in steps is from few points.
std::optional<LargeChanges> known_too_seldom(const Schedule& schedule);

/// How many of these schedules differ: seeds that repeat one, or a run that stops on its way, add none. Two
/// differ where after both warm-ups, at a step that both reach, their shares of the peak are a tenth apart.
std::size_t count_different(const std::vector<Schedule>& schedules);

}  // namespace isogrid::analysis
