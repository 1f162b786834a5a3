#include "cluster/schedule/regrouping.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>

namespace isogrid::cluster {

namespace {

constexpr double precision = 1.005;  // of the deadline that is looked for
constexpr double least_gain = 0.01;  // of what is left

/// The fewest ranks with which it ends by `deadline` if it pauses now, among those that it may have.
std::optional<int> fewest_ranks(const InProgress& trial, double cost, double deadline) {
    for (int ranks = trial.least_ranks; ranks <= trial.most_ranks; ranks *= 2)
        if (cost + trial.seconds_on(ranks) <= deadline) return ranks;
    return std::nullopt;
}

/// Everything by `deadline`: what would end later is paused, and what fewer ranks would do as well; nothing
/// where that cannot be.
std::optional<Regrouping> by_deadline(std::span<const InProgress> running, std::span<const Waiting> waiting,
                                      std::vector<double> free_at, double cost, double deadline) {
    Regrouping regrouping;
    for (std::size_t i = 0; i < running.size(); ++i) {
        const InProgress& trial = running[i];
        const bool in_time = trial.end <= deadline;
        const std::optional<int> fewest = fewest_ranks(trial, cost, deadline);
        if (!in_time && (!fewest || *fewest <= trial.ranks)) return std::nullopt;
        const bool wasteful =
            fewest && *fewest < trial.ranks &&
            trial.ranks * trial.seconds_on(trial.ranks) - *fewest * trial.seconds_on(*fewest) >
                2 * cost * trial.ranks;
        const bool stays = in_time && !wasteful;
        if (!stays) regrouping.paused.push_back({.trial = i});
        free_at.insert(free_at.end(), static_cast<std::size_t>(trial.ranks), stays ? trial.end : 0);
    }
    std::stable_sort(regrouping.paused.begin(), regrouping.paused.end(), [&](const auto& a, const auto& b) {
        return running[a.trial].seconds > running[b.trial].seconds;
    });
    std::vector<Waiting> tasks;
    for (const Regrouping::Change& paused : regrouping.paused)
        tasks.push_back({running[paused.trial].seconds, running[paused.trial].most_ranks, cost,
                         running[paused.trial].doubling_efficiency});
    tasks.insert(tasks.end(), waiting.begin(), waiting.end());
    const auto allotment = allot_by(tasks, free_at, deadline);
    if (!allotment) return std::nullopt;
    for (std::size_t i = 0; i < regrouping.paused.size(); ++i)
        regrouping.paused[i] = {regrouping.paused[i].trial, allotment->ranks[i], allotment->starts[i]};
    regrouping.end = allotment->end;
    return regrouping;
}

/// `paused` with the ranks that are free within `soon` seconds, and without the trials to which they bring no
/// change.
std::vector<Regrouping::Change> without_waiting(std::span<const Regrouping::Change> paused,
                                                std::span<const InProgress> running,
                                                std::span<const double> free_at, double soon) {
    auto idle = static_cast<int>(
        std::count_if(free_at.begin(), free_at.end(), [&](double time) { return time <= soon; }));
    for (const InProgress& trial : running)
        if (trial.end <= soon) idle += trial.ranks;
    std::vector<Regrouping::Change> without;
    for (Regrouping::Change change : paused) {
        const InProgress& trial = running[change.trial];
        const int there = trial.ranks + idle;
        change.ranks = std::min(change.ranks, static_cast<int>(std::bit_floor(static_cast<unsigned>(there))));
        change.ranks = std::max(change.ranks, trial.least_ranks);
        if (change.ranks == trial.ranks) continue;
        idle = there - change.ranks;
        change.start = std::min(change.start, soon);
        without.push_back(change);
    }
    return without;
}

}  // namespace

Regrouping regroup(std::span<const InProgress> running, std::span<const Waiting> waiting,
                   std::span<const double> free_at, double cost) {
    std::vector<double> all_free_at(free_at.begin(), free_at.end());
    double work = std::accumulate(free_at.begin(), free_at.end(), 0.0), lost_in_groups = 0;
    double impossible = free_at.empty() ? 0 : *std::max_element(free_at.begin(), free_at.end());
    for (const InProgress& trial : running) {
        all_free_at.insert(all_free_at.end(), static_cast<std::size_t>(trial.ranks), trial.end);
        work += trial.seconds;
        lost_in_groups += trial.ranks * trial.end - trial.seconds;
        if (trial.most_ranks <= trial.ranks) impossible = std::max(impossible, trial.end);
    }
    for (const Waiting& trial : waiting)
        work += trial.seconds;
    if (all_free_at.empty()) return {};
    const auto ranks = static_cast<double>(all_free_at.size());
    impossible = std::max(impossible, work / ranks);
    const double latest = *std::max_element(all_free_at.begin(), all_free_at.end());
    const double worthwhile = std::max(2 * cost, least_gain * latest);
    const bool late = latest >= impossible + worthwhile;
    if (!late && lost_in_groups < worthwhile * ranks) return {.end = latest};  // what runs is not to blame

    const double unchanged = allot(waiting, all_free_at).end;
    Regrouping best{.end = unchanged};
    while (best.end > precision * impossible) {
        const double deadline = (impossible + best.end) / 2;
        auto found = by_deadline(running, waiting, {free_at.begin(), free_at.end()}, cost, deadline);
        if (found)
            best = std::move(*found);
        else
            impossible = deadline;
    }
    if (unchanged - best.end < worthwhile) return {.end = unchanged};
    best.paused = without_waiting(best.paused, running, free_at, worthwhile);
    return best;
}

}  // namespace isogrid::cluster
