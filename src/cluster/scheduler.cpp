#include "cluster/scheduler.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <iterator>
#include <limits>
#include <utility>

namespace isogrid::cluster {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// FLOP/s of one rank for a model of this size: as measured for it, or else for the nearest size; 1 when
/// nothing is measured.
template <class Speeds>
double speed_of(double size, const Speeds& speeds) {
    if (speeds.empty()) return 1;
    auto nearest = speeds.lower_bound(size);
    if (nearest == speeds.end() ||
        (nearest != speeds.begin() && size / std::prev(nearest)->first < nearest->first / size))
        --nearest;
    return nearest->second.flops / nearest->second.seconds;
}

}  // namespace

Scheduler::Scheduler(std::vector<Task> tasks, int ranks_per_trial) : ranks_per_trial_(ranks_per_trial) {
    std::set<int> trials;
    for (const Task& task : tasks)
        trials.insert(task.trial);
    for (const Task& task : tasks)
        (trials.contains(task.after) ? blocked_ : waiting_).push_back(task);
    sizes_.assign(waiting_.size(), 1);
}

void Scheduler::worker_idle(int rank) {
    idle_.insert(rank);
    busy_.erase(rank);
    changed_ = true;
}

void Scheduler::worker_lost(int rank) {
    idle_.erase(rank);
    busy_.erase(rank);
    changed_ = true;
    next_plan_ = -std::numeric_limits<double>::infinity();  // what waits may wait for more than there are
}

void Scheduler::measured(double size, double flops_per_second) {
    Speed& speed = ended_[size];
    speed.flops += flops_per_second;
    speed.seconds += 1;
    changed_ = true;
}

std::vector<Assignment> Scheduler::assign(double now) {
    std::vector<Assignment> assignments;
    if (stopped_ || waiting_.empty() || idle_.empty()) return assignments;
    if (changed_ && now >= next_plan_) plan(now);
    while (bring_forward_what_may_start(now) && static_cast<std::size_t>(sizes_.back()) <= idle_.size()) {
        const auto end = std::next(idle_.begin(), sizes_.back());
        Running started{.task = waiting_.back(),
                        .ranks = std::vector<int>(idle_.begin(), end),
                        .started = now,
                        .seen = now};
        waiting_.pop_back();
        sizes_.pop_back();
        idle_.erase(idle_.begin(), end);
        for (const int rank : started.ranks)
            busy_[rank] = started.task.trial;
        assignments.push_back({started.task.trial, started.ranks});
        running_.emplace(started.task.trial, std::move(started));
    }
    return assignments;
}

/// The first task that may still start, and not only on more ranks than there are, becomes the next one.
/// False when there is none; with none running either it never will be.
bool Scheduler::bring_forward_what_may_start(double now) {
    if (waiting_.empty()) return false;
    const double left = ends_at_ - now;
    const bool in_time = left >= least_worth_;
    const auto there = static_cast<int>(idle_.size() + busy_.size());
    if (in_time && sizes_.back() <= there) return true;
    const auto known = speeds();
    for (std::size_t i = waiting_.size(); i-- > 0;) {
        const Task& task = waiting_[i];
        if (sizes_[i] > there) continue;
        if (!in_time && task.flops / (speed_of(task.size, known) * effective_ranks(sizes_[i])) > left)
            continue;
        const auto place = static_cast<std::ptrdiff_t>(i);
        std::rotate(waiting_.begin() + place, waiting_.begin() + place + 1, waiting_.end());
        std::rotate(sizes_.begin() + place, sizes_.begin() + place + 1, sizes_.end());
        return true;
    }
    if (running_.empty()) stop();
    return false;
}

/// Puts the waiting tasks in order and sizes their groups.
void Scheduler::plan(double now) {
    const std::vector<Task> tasks = not_started();
    const Outlook outlook = this->outlook(tasks, speeds(), now, 1);
    const Priorities priorities = prioritize(tasks, outlook.times, outlook.free_at);
    std::set<int> blocked;
    for (const Task& task : blocked_)
        blocked.insert(task.trial);
    waiting_.clear();
    sizes_.clear();
    for (std::size_t i = priorities.order.size(); i-- > 0;) {
        const Task& task = tasks[priorities.order[i]];
        if (blocked.contains(task.trial)) continue;
        waiting_.push_back(task);
        sizes_.push_back(outlook.group > 0 ? outlook.group : priorities.ranks[i]);
    }
    for (std::size_t i = 0; i < sizes_.size(); ++i)
        sizes_[i] = std::max(sizes_[i], waiting_[i].least_ranks);
    changed_ = false;
    // Planning 10,000 trials takes tenths of a second, so they are planned every 10 seconds.
    next_plan_ = now + 1e-3 * static_cast<double>(tasks.size());
}

std::vector<Task> Scheduler::not_started() const {
    std::vector<Task> tasks = waiting_;
    tasks.insert(tasks.end(), blocked_.begin(), blocked_.end());
    return tasks;
}

/// What the order of `tasks` is made from: how long they take, and when whoever trains them is free, ranks
/// or, where the job says how large groups are, whole groups.
Scheduler::Outlook Scheduler::outlook(std::span<const Task> tasks, const std::map<double, Speed>& speeds,
                                      double now, int ranks) const {
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
        task.seconds /= effective_ranks(outlook.group);
        task.most_ranks = 1;
    }
    return outlook;
}

/// The size that the job asks for, or less where so few ranks are left.
int Scheduler::group_among(int ranks) const {
    return std::min(ranks_per_trial_, static_cast<int>(std::bit_floor(static_cast<unsigned>(ranks))));
}

/// What is measured so far, by size.
std::map<double, Scheduler::Speed> Scheduler::speeds() const {
    std::map<double, Speed> speeds = ended_;
    for (const auto& [trial, running] : running_) {
        if (!(running.flops_done() > 0) || !(running.seconds() > 0)) continue;
        speeds[running.task.size].flops += running.flops_done();
        speeds[running.task.size].seconds += running.seconds();
    }
    return speeds;
}

/// When each running trial ends, in seconds from `now`.
std::map<int, double> Scheduler::ends(const std::map<double, Speed>& speeds, double now) const {
    std::map<int, double> ends;
    for (const auto& [trial, running] : running_) {
        // By its own speed, for its rank may be a slow one, once that is more than how fast it starts.
        const bool shown = running.fraction > 0.1 && running.seconds() > 0;
        const double speed =
            shown ? running.flops_done() / running.seconds() : speed_of(running.task.size, speeds);
        const double left =
            (running.task.flops - running.flops_done()) / (speed * effective_ranks(running.size()));
        ends[trial] = std::max(0.0, running.seen + left - now);
    }
    return ends;
}

/// Seconds from now until each rank is free.
std::vector<double> Scheduler::free_at(const std::map<int, double>& ends) const {
    std::vector<double> free_at(idle_.size(), 0.0);
    for (const auto& [rank, trial] : busy_) {
        const auto end = ends.find(trial);
        free_at.push_back(end != ends.end() ? end->second
                                            : 0);  // its trial has ended; it will say in a moment
    }
    return free_at;
}

/// How long each task takes, and when it can start: a branch when its trunk ends, or, if that waits too, as
/// if it started now.
std::vector<Waiting> Scheduler::times(const std::map<double, Speed>& speeds,
                                      const std::map<int, double>& ends, std::span<const Task> tasks) const {
    std::vector<Waiting> times;
    std::map<int, double> trunks;
    for (const Task& task : tasks)
        times.push_back({task.flops / speed_of(task.size, speeds), task.most_ranks});
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

void Scheduler::progressed(int trial, double fraction, double now) {
    const auto found = running_.find(trial);
    if (found == running_.end()) return;
    found->second.fraction = fraction;
    found->second.seen = now;
    changed_ = true;
}

/// What an attempt that ended has shown.
void Scheduler::learn_from(const Running& running) {
    busy_rank_seconds_ += (running.seen - running.started) * running.size();
    if (!(running.flops_done() > 0) || !(running.seconds() > 0)) return;
    Speed& speed = ended_[running.task.size];
    speed.flops += running.flops_done();
    speed.seconds += running.seconds();
}

std::vector<Task>::iterator Scheduler::waiting(int trial) {
    return std::find_if(waiting_.begin(), waiting_.end(),
                        [&](const Task& task) { return task.trial == trial; });
}

void Scheduler::withdraw(std::vector<Task>::iterator task) {
    sizes_.erase(sizes_.begin() + (task - waiting_.begin()));
    waiting_.erase(task);
    changed_ = true;
}

void Scheduler::finished(int trial, double fraction, double now) {
    const auto found = running_.find(trial);
    if (found == running_.end()) {
        const auto task = waiting(trial);
        assert(task != waiting_.end());
        withdraw(task);
    } else {
        progressed(trial, fraction, now);
        learn_from(found->second);
        running_.erase(found);
    }
    unblock(trial);
}

/// What came after the trial that `ended` waits for nothing but ranks.
void Scheduler::unblock(int ended) {
    const auto still = std::stable_partition(blocked_.begin(), blocked_.end(),
                                             [&](const Task& task) { return task.after != ended; });
    for (auto task = still; task != blocked_.end(); ++task) {
        waiting_.push_back(*task);
        sizes_.push_back(1);
        next_plan_ = -std::numeric_limits<double>::infinity();
    }
    blocked_.erase(still, blocked_.end());
}

void Scheduler::interrupted(int trial, double fraction, double now) {
    progressed(trial, fraction, now);
    lost(trial);
    stop();
}

void Scheduler::again(int trial, int least_ranks, double fraction, double now) {
    progressed(trial, fraction, now);
    if (running_.contains(trial)) lost(trial);
    const auto task = waiting(trial);
    assert(task != waiting_.end());
    task->least_ranks = least_ranks;
    sizes_[static_cast<std::size_t>(task - waiting_.begin())] = least_ranks;
}

void Scheduler::lost(int trial) {
    const auto found = running_.find(trial);
    assert(found != running_.end());
    learn_from(found->second);
    add(found->second.task);
    running_.erase(found);
}

void Scheduler::add(const Task& task) {
    waiting_.push_back(task);
    sizes_.push_back(task.least_ranks);
    changed_ = true;
    next_plan_ = -std::numeric_limits<double>::infinity();  // its group is not sized yet
}

bool Scheduler::take_back(int trial, const std::vector<int>& ranks, double now) {
    const auto task = waiting(trial);
    if (stopped_ || task == waiting_.end()) return false;
    for (const int rank : ranks) {
        idle_.erase(rank);
        busy_[rank] = trial;
    }
    // Timed from here on: how long it was silent says nothing of its speed.
    running_.emplace(trial, Running{.task = *task, .ranks = ranks, .started = now, .seen = now});
    withdraw(task);
    return true;
}

double Scheduler::remaining_rank_seconds() const {
    const auto known = speeds();
    double seconds = 0;
    for (const Task& task : not_started())
        seconds += task.flops / speed_of(task.size, known);
    for (const auto& [trial, running] : running_)
        seconds += (running.task.flops - running.flops_done()) / speed_of(running.task.size, known);
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
        times.push_back({seconds / effective_ranks(group), ranks_per_trial_ > 0 ? 1 : task.most_ranks});
    };
    for (const Task& task : not_started())
        add(task, task.flops / speed_of(task.size, known));
    for (const auto& [trial, seconds] : ends(known, now)) {
        const Running& running = running_.at(trial);
        add(running.task, seconds * effective_ranks(running.size()));
    }
    return makespan_lower_bound(times, ranks / group);
}

}  // namespace isogrid::cluster
