// What the scheduler expects of the time to come, by the speeds measured so far.
#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "cluster/schedule/scheduler.hpp"

namespace isogrid::cluster {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

}  // namespace

/// What the order of `tasks` is made from: how long they take, and when whoever trains them is free, ranks
/// or, where the job says how large groups are, whole groups.
Scheduler::Outlook Scheduler::outlook(std::span<const Task> tasks, const Speeds& speeds, double now,
                                      int ranks) const {
    const std::map<int, double> ends = this->ends(speeds, now);
    Outlook outlook{.times = times(speeds, ends, tasks), .free_at = free_at(ends)};
    std::vector<double>& free = outlook.free_at;
    free.resize(std::max(free.size(), static_cast<std::size_t>(ranks)), 0.0);
    if (ranks_per_trial_ == 0) return outlook;

    outlook.group = group_among(static_cast<int>(free.size()));
    const auto group = static_cast<std::size_t>(outlook.group);
    // A group is free when the last of its ranks is.
    std::sort(free.begin(), free.end());
    std::vector<double> groups;
    for (std::size_t last = group - 1; last < free.size(); last += group)
        groups.push_back(free[last]);
    free = std::move(groups);
    for (Waiting& task : outlook.times) {
        task.seconds /= worth(outlook.group);
        task.most_ranks = 1;
    }
    return outlook;
}

/// The size that the job asks for, or less where so few ranks are left.
int Scheduler::group_among(int ranks) const {
    return std::min(ranks_per_trial_, static_cast<int>(std::bit_floor(static_cast<unsigned>(ranks))));
}

/// What is measured so far, of running trials too.
Speeds Scheduler::speeds() const {
    Speeds speeds = ended_;
    for (const auto& [trial, running] : running_)
        speeds.saw(running.task.size, running.flops_done(), running.own_seconds() * worth(running.size()));
    return speeds;
}

/// When each running trial ends, in seconds from `now`.
std::map<int, double> Scheduler::ends(const Speeds& speeds, double now) const {
    std::map<int, double> ends;
    for (const auto& [trial, running] : running_) {
        // By its own speed, for its rank may be a slow one, once that is more than how fast it starts.
        const bool shown = running.fraction > 0.1 && running.own_seconds() > 0;
        const double speed = shown ? running.flops_done() / running.own_seconds()
                                   : speeds.of(running.task.size) * worth(running.size());
        const double left = (running.task.flops - running.flops_done()) / speed;
        ends[trial] = std::max(0.0, running.seen + seating_.together(running.ranks.front()) * left - now);
    }
    return ends;
}

/// Seconds from now until each rank is free, or each card, as if the trials there were one after the other;
/// without those that one of `others` (rising) has to itself.
std::vector<double> Scheduler::free_at(const std::map<int, double>& ends, std::span<const int> others) const {
    std::vector<double> free_at;
    for (const std::vector<int>& trials : seating_.trials_by_card()) {
        if (trials.size() == 1 && std::binary_search(others.begin(), others.end(), trials[0])) continue;
        double& free = free_at.emplace_back(0);
        for (const int trial : trials)
            if (const auto end = ends.find(trial); end != ends.end())  // else it has ended, and will say so
                free += end->second / static_cast<double>(trials.size());
    }
    return free_at;
}

/// How long each task takes, and when it can start: a branch when its trunk ends, or, if that waits too, as
/// if it started now. What a card has room to train beside others is not spread over several cards.
std::vector<Waiting> Scheduler::times(const Speeds& speeds, const std::map<int, double>& ends,
                                      std::span<const Task> tasks) const {
    std::vector<Waiting> times;
    std::map<int, double> trunks;
    const double doubling_efficiency = doubling_efficiency_.value();
    for (const Task& task : tasks)
        times.push_back({.seconds = task.flops / speeds.of(task.size),
                         .most_ranks = seating_.worth(task.size) > 1 ? 1 : task.most_ranks,
                         .doubling_efficiency = doubling_efficiency});
    if (blocked_.empty()) return times;
    for (std::size_t i = 0; i < tasks.size(); ++i)
        trunks[tasks[i].trial] = times[i].seconds;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (const auto running = ends.find(tasks[i].after); running != ends.end())
            times[i].ready_at = running->second;
        else if (const auto trunk = trunks.find(tasks[i].after); trunk != trunks.end())
            times[i].ready_at = trunk->second;
    }
    return times;
}

/// Of the trials that have their ranks to themselves and have shown how fast they are; others may not pause.
std::vector<InProgress> Scheduler::in_progress(const std::map<int, double>& ends,
                                               std::vector<int>& trials) const {
    std::vector<InProgress> in_progress;
    for (const auto& [trial, end] : ends) {
        const Running& running = running_.at(trial);
        if (seating_.together(running.ranks.front()) > 1) continue;
        const bool may_change =
            running.fraction > 0 && running.task.may_pause && seating_.worth(running.task.size) == 1;
        in_progress.push_back({.end = end,
                               .seconds = end * worth(running.size()),
                               .ranks = running.size(),
                               .most_ranks = may_change ? running.task.most_ranks : running.size(),
                               .least_ranks = may_change ? running.task.least_ranks : running.size(),
                               .doubling_efficiency = doubling_efficiency_.value()});
        trials.push_back(trial);
    }
    return in_progress;
}

std::vector<int> Scheduler::to_pause(double now) {
    if (stopped_ || ranks_per_trial_ > 0 || now < next_regrouping_ || running_.empty()) return {};
    if (ends_at_ - now < least_worth_ + pause_cost_.seconds()) return {};
    for (const auto& [trial, running] : running_)
        if (running.pausing) return {};  // one thing at a time
    const auto known = speeds();
    if (known.empty()) return {};
    const std::vector<Task> tasks = not_started();
    next_regrouping_ = now + std::max(1.0, 1e-3 * static_cast<double>(tasks.size()));
    const std::map<int, double> ends = this->ends(known, now);
    const std::vector<Waiting> times = this->times(known, ends, tasks);
    std::vector<Waiting> waiting;
    for (const std::size_t task : longest_chain_first(tasks, times))
        waiting.push_back(times[task]);
    std::vector<int> trials;
    const std::vector<InProgress> running = in_progress(ends, trials);
    const std::vector<double> free_at = this->free_at(ends, trials);
    std::vector<int> paused;
    for (const Regrouping::Change& change :
         regroup(running, waiting, free_at, pause_cost_.seconds()).paused) {
        paused.push_back(trials[change.trial]);
        Running& asked = running_.at(trials[change.trial]);
        asked.pausing = true;
        asked.wanted_ranks = change.ranks;
        asked_to_pause_ = now;
    }
    return paused;
}

double Scheduler::remaining_rank_seconds() const {
    const auto known = speeds();
    double seconds = 0;
    for (const Task& task : not_started())
        seconds += task.flops / known.of(task.size);
    for (const auto& [trial, running] : running_)
        seconds += (running.task.flops - running.flops_done()) / known.of(running.task.size);
    if (seconds == 0) return 0;
    return known.empty() ? unknown : seconds;
}

double Scheduler::remaining_seconds(double now, int ranks) const {
    const std::vector<Task> tasks = not_started();
    if (tasks.empty() && running_.empty()) return 0;
    const auto known = speeds();
    if (known.empty() || ranks < 1) return unknown;
    const Outlook outlook = this->outlook(tasks, known, now, ranks);
    return longest_first(tasks, outlook.times, outlook.free_at).end;
}

double Scheduler::remaining_lower_bound(double now, int ranks) const {
    const auto known = speeds();
    if (known.empty()) return unknown;
    const int group = ranks_per_trial_ > 0 ? group_among(ranks) : 1;
    std::vector<Waiting> times;
    const auto add = [&](const Task& task, double seconds) {
        times.push_back({.seconds = seconds / worth(group),
                         .most_ranks = ranks_per_trial_ > 0 ? 1 : task.most_ranks,
                         .doubling_efficiency = doubling_efficiency_.value()});
    };
    for (const Task& task : not_started())
        add(task, task.flops / known.of(task.size));
    for (const auto& [trial, seconds] : ends(known, now)) {
        const Running& running = running_.at(trial);
        add(running.task, seconds * worth(running.size()));
    }
    return makespan_lower_bound(times, ranks / group);
}

}  // namespace isogrid::cluster
