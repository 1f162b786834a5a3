#include "analysis/laws/schedule_kinds.hpp"

#include <algorithm>
#include <cmath>

namespace isogrid::analysis {
namespace {

constexpr double fallen = 0.8;  ///< of the highest so far
constexpr double apart = 0.1;   ///< of the peak
constexpr double warm = 0.9;    ///< of the peak: warmed up

double warmed_up(const Schedule& schedule) {
    const auto& rate = schedule.learning_rate;
    const double enough = warm * schedule.peak();
    const auto first = std::find_if(rate.begin(), rate.end(), [&](double r) { return r >= enough; });
    return schedule.step[static_cast<std::size_t>(first - rate.begin())];
}

/// The rate at a step between the first and the last, as the law sees it (Schedule).
double rate_at(const Schedule& schedule, double step) {
    const auto& rate = schedule.learning_rate;
    const auto after = std::lower_bound(schedule.step.begin(), schedule.step.end(), step);
    const auto i = static_cast<std::size_t>(after - schedule.step.begin());
    if (i == 0 || schedule.step[i] == step) return rate[i];
    if (schedule.jumps_to(i)) return rate[i - 1];
    const double share = (step - schedule.step[i - 1]) / (schedule.step[i] - schedule.step[i - 1]);
    return rate[i - 1] + share * (rate[i] - rate[i - 1]);
}

bool differ(const Schedule& a, const Schedule& b) {
    const double from = std::max(warmed_up(a), warmed_up(b)), to = std::min(a.step.back(), b.step.back());
    const double peak_a = a.peak(), peak_b = b.peak();
    for (const Schedule* each : {&a, &b})
        for (const double step : each->step)
            if (step >= from && step <= to &&
                std::abs(rate_at(a, step) / peak_a - rate_at(b, step) / peak_b) > apart)
                return true;
    return false;
}

}  // namespace

bool falls(std::span<const double> rates) {
    double highest = 0;
    return std::any_of(rates.begin(), rates.end(), [&](double rate) {
        highest = std::max(highest, rate);
        return rate < fallen * highest;
    });
}

std::optional<LargeChanges> known_too_seldom(const Schedule& schedule) {
    const std::size_t from = schedule.warmed_up() + 1, end = schedule.step.size();
    LargeChanges large{0, end - from};
    for (std::size_t i = from; i < end; ++i)
        large.number += schedule.changes_much(i) && !schedule.jumps_to(i);
    return 4 * large.number > large.intervals ? std::optional(large) : std::nullopt;
}

std::size_t count_different(const std::vector<Schedule>& schedules) {
    std::vector<const Schedule*> different;
    for (const Schedule& schedule : schedules)
        if (std::all_of(different.begin(), different.end(),
                        [&](const Schedule* known) { return differ(*known, schedule); }))
            different.push_back(&schedule);
    return different.size();
}

}  // namespace isogrid::analysis
