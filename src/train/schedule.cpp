#include "train/schedule.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace isogrid::train {
namespace {

/// Progress from step `start` (0) to step `end` (1), counted in sequences, as a trial's batch may change.
double progress(const study::Trial& trial, std::int64_t step, std::int64_t start, std::int64_t end) {
    if (end <= start) return 1;
    const std::int64_t before = trial.sequences(start);
    return std::clamp(static_cast<double>(trial.sequences(step) - before) /
                          static_cast<double>(trial.sequences(end) - before),
                      0.0, 1.0);
}

/// 1 at p = 0, falling to 1 - drop at p = 1.
double fallen(study::DecayForm form, double p, double drop) {
    switch (form) {
        case study::DecayForm::linear:
            return 1 - drop * p;
        case study::DecayForm::cosine:
            return 1 - drop * (1 - std::cos(std::numbers::pi * p)) / 2;
        case study::DecayForm::square_root:
            return 1 - drop * std::sqrt(p);
    }
    return 1;
}

}  // namespace

double schedule_fraction(const study::Trial& trial, std::int64_t step) {
    const study::Schedule& schedule = trial.schedule;
    assert(step >= 1 && step <= trial.steps);
    if (step <= schedule.warmup_steps) return progress(trial, step, 0, schedule.warmup_steps);

    const double drop = 1 - schedule.final_fraction;
    const std::int64_t horizon = std::max(trial.steps, schedule.horizon_steps);
    const auto after_warmup = [&] { return progress(trial, step, schedule.warmup_steps, horizon); };
    switch (schedule.kind) {
        case study::ScheduleKind::constant:
            return 1;
        case study::ScheduleKind::cosine:
            return fallen(study::DecayForm::cosine, after_warmup(), drop);
        case study::ScheduleKind::linear:
            return fallen(study::DecayForm::linear, after_warmup(), drop);
        case study::ScheduleKind::warmup_stable_decay:
            return fallen(
                schedule.decay,
                progress(trial, step, std::max(schedule.warmup_steps, trial.steps - schedule.decay_steps),
                         trial.steps),
                drop);
    }
    return 1;
}

}  // namespace isogrid::train
