#include "cluster/schedule/regrouping.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

namespace isogrid::cluster {

namespace {

constexpr double precision = 1.005;  // of the deadline that is looked for
constexpr double least_gain = 0.01;  // of what is left

/// Everything by `deadline`, those that would end later paused; nothing where that cannot be.
std::optional<Regrouping> by_deadline(std::span<const InProgress> running, std::span<const Waiting> waiting,
                                      std::vector<double> free_at, double cost, double deadline) {
    Regrouping regrouping;
    for (std::size_t i = 0; i < running.size(); ++i) {
        const bool in_time = running[i].end <= deadline;
        if (!in_time && running[i].most_ranks <= running[i].ranks) return std::nullopt;
        if (!in_time) regrouping.paused.push_back({.trial = i});
        free_at.insert(free_at.end(), static_cast<std::size_t>(running[i].ranks),
                       in_time ? running[i].end : 0);
    }
    std::stable_sort(regrouping.paused.begin(), regrouping.paused.end(), [&](const auto& a, const auto& b) {
        return running[a.trial].seconds > running[b.trial].seconds;
    });
    std::vector<Waiting> tasks;
    for (const Regrouping::Growth& paused : regrouping.paused)
        tasks.push_back({running[paused.trial].seconds, running[paused.trial].most_ranks, cost});
    tasks.insert(tasks.end(), waiting.begin(), waiting.end());
    const auto allotment = allot_by(tasks, free_at, deadline);
    if (!allotment) return std::nullopt;
    for (std::size_t i = 0; i < regrouping.paused.size(); ++i)
        regrouping.paused[i] = {regrouping.paused[i].trial, allotment->ranks[i], allotment->starts[i]};
    regrouping.end = allotment->end;
    return regrouping;
}

}  // namespace

Regrouping regroup(std::span<const InProgress> running, std::span<const Waiting> waiting,
                   std::span<const double> free_at, double cost) {
    std::vector<double> all_free_at(free_at.begin(), free_at.end());
    double work = std::accumulate(free_at.begin(), free_at.end(), 0.0);
    double impossible = free_at.empty() ? 0 : *std::max_element(free_at.begin(), free_at.end());
    for (const InProgress& trial : running) {
        all_free_at.insert(all_free_at.end(), static_cast<std::size_t>(trial.ranks), trial.end);
        work += trial.seconds;
        if (trial.most_ranks <= trial.ranks) impossible = std::max(impossible, trial.end);
    }
    for (const Waiting& trial : waiting)
        work += trial.seconds;
    if (all_free_at.empty()) return {};
    impossible = std::max(impossible, work / static_cast<double>(all_free_at.size()));
    const double latest = *std::max_element(all_free_at.begin(), all_free_at.end());
    const double worthwhile = std::max(2 * cost, least_gain * latest);
    if (latest < impossible + worthwhile) return {.end = latest};  // what runs is not what makes the end late

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
    std::erase_if(best.paused, [&](const auto& paused) { return paused.start > worthwhile; });
    return best;
}

}  // namespace isogrid::cluster
