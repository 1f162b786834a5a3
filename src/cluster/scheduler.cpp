#include "cluster/scheduler.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <limits>
#include <queue>

#include "cluster/makespan.hpp"

namespace isogrid::cluster {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Scheduler::Scheduler(std::vector<Task> tasks, int ranks_per_trial)
    : waiting_(std::move(tasks)), ranks_per_trial_(ranks_per_trial) {
    std::sort(waiting_.begin(), waiting_.end(), [](const Task& a, const Task& b) {
        return a.flops != b.flops ? a.flops < b.flops : a.trial > b.trial;
    });
}

std::vector<Assignment> Scheduler::assign(double now) {
    std::vector<Assignment> assignments;
    if (stopped_) return assignments;
    for (const int size : group_sizes()) {
        const auto end = std::next(idle_.begin(), size);
        Running started{.task = waiting_.back(),
                        .ranks = std::vector<int>(idle_.begin(), end),
                        .started = now,
                        .seen = now};
        waiting_.pop_back();
        idle_.erase(idle_.begin(), end);
        assignments.push_back({started.task.trial, started.ranks});
        running_.emplace(started.task.trial, std::move(started));
    }
    return assignments;
}

/// Sizes of the groups that can start now, the longest waiting task's first.
std::vector<int> Scheduler::group_sizes() const {
    if (ranks_per_trial_ > 0)
        return std::vector<int>(
            std::min(waiting_.size(), idle_.size() / static_cast<std::size_t>(ranks_per_trial_)),
            ranks_per_trial_);

    std::vector<int> sizes(std::min(waiting_.size(), idle_.size()), 1);
    int spare = static_cast<int>(idle_.size() - sizes.size());
    struct Candidate {
        double flops_per_rank;
        std::size_t place;  ///< in `sizes`; waiting_ counts from its end
        bool operator<(const Candidate& other) const {
            return flops_per_rank != other.flops_per_rank ? flops_per_rank < other.flops_per_rank
                                                          : place > other.place;
        }
    };
    const auto task = [&](std::size_t place) -> const Task& { return waiting_[waiting_.size() - 1 - place]; };
    std::priority_queue<Candidate> slowest_first;
    for (std::size_t place = 0; spare > 0 && place < sizes.size(); ++place)
        slowest_first.push({task(place).flops, place});
    while (!slowest_first.empty()) {
        const auto [flops_per_rank, place] = slowest_first.top();
        slowest_first.pop();
        int& size = sizes[place];
        if (size > spare || 2 * size > task(place).most_ranks) continue;
        spare -= size;
        size *= 2;
        slowest_first.push({flops_per_rank / 2, place});
    }
    return sizes;
}

void Scheduler::progressed(int trial, double fraction, double now) {
    const auto found = running_.find(trial);
    if (found == running_.end()) return;
    found->second.fraction = fraction;
    found->second.seen = now;
}

void Scheduler::finished(int trial, double fraction, double now) {
    progressed(trial, fraction, now);
    const auto found = running_.find(trial);
    assert(found != running_.end());
    flops_done_ += found->second.flops_done();
    rank_seconds_ += found->second.rank_seconds();
    running_.erase(found);
}

void Scheduler::interrupted(int trial, double fraction, double now) {
    const Task task = running_.at(trial).task;
    finished(trial, fraction, now);
    waiting_.push_back(task);
    stop();
}

double Scheduler::flops_per_rank_second() const {
    double flops = flops_done_, rank_seconds = rank_seconds_;
    for (const auto& [trial, running] : running_) {
        flops += running.flops_done();
        rank_seconds += running.rank_seconds();
    }
    return rank_seconds > 0 ? flops / rank_seconds : 0;
}

double Scheduler::remaining_rank_seconds() const {
    const double rate = flops_per_rank_second();
    double flops = 0;
    for (const Task& task : waiting_)
        flops += task.flops;
    for (const auto& [trial, running] : running_)
        flops += running.task.flops - running.flops_done();
    if (flops == 0) return 0;
    return rate > 0 ? flops / rate : unknown;
}

double Scheduler::remaining_seconds(double now, int ranks) const {
    if (waiting_.empty() && running_.empty()) return 0;
    const double rate = flops_per_rank_second();
    if (!(rate > 0)) return unknown;

    // One slot a group: what runs keeps its own until it is predicted to end, what waits fills the others.
    const int group = std::max(1, ranks_per_trial_);
    std::vector<double> free_at;
    int busy = 0;
    for (const auto& [trial, running] : running_) {
        const double size = static_cast<double>(running.ranks.size());
        const double left = (running.task.flops - running.flops_done()) / (rate * size);
        free_at.push_back(std::max(0.0, running.seen + left - now));
        busy += static_cast<int>(running.ranks.size());
    }
    free_at.resize(free_at.size() + static_cast<std::size_t>(std::max(0, (ranks - busy) / group)), 0.0);
    if (free_at.empty()) return unknown;
    std::vector<double> seconds;
    for (auto task = waiting_.rbegin(); task != waiting_.rend(); ++task)
        seconds.push_back(task->flops / (rate * group));
    return list_schedule_makespan(seconds, std::move(free_at));
}

}  // namespace isogrid::cluster
