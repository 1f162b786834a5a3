#include "train/schedule.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace isogrid::train {
namespace {

/// How far `step` has come from `start` (0) to `end` (1).
double progress(std::int64_t step, std::int64_t start, std::int64_t end) {
    if (end <= start) return 1;
    return std::clamp(static_cast<double>(step - start) / static_cast<double>(end - start), 0.0, 1.0);
}

}  // namespace

double schedule_fraction(const study::Schedule& schedule, std::int64_t steps, std::int64_t step) {
    assert(step >= 1 && step <= steps);
    if (step <= schedule.warmup_steps)
        return static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);

    const double drop = 1 - schedule.final_fraction;
    switch (schedule.kind) {
        case study::ScheduleKind::constant:
            return 1;
        case study::ScheduleKind::cosine:
            return 1 -
                   drop * (1 - std::cos(std::numbers::pi * progress(step, schedule.warmup_steps, steps))) / 2;
        case study::ScheduleKind::linear:
            return 1 - drop * progress(step, schedule.warmup_steps, steps);
        case study::ScheduleKind::warmup_stable_decay:
            return 1 - drop * progress(step, std::max(schedule.warmup_steps, steps - schedule.decay_steps),
                                       steps);
    }
    return 1;
}

}  // namespace isogrid::train
