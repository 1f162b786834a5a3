#include "cluster/scheduler.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <limits>

#include "cluster/makespan.hpp"

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
    std::set<int> to_do;
    for (const Task& task : tasks)
        to_do.insert(task.trial);
    for (Task& task : tasks)
        (to_do.contains(task.after) ? blocked_ : waiting_).push_back(task);
    sizes_.assign(waiting_.size(), 1);
}

void Scheduler::worker_idle(int rank) {
    idle_.insert(rank);
    busy_.erase(rank);
    changed_ = true;
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

/// The longest task that may still start becomes the next one. False when there is none; with none running
/// either it never will be.
bool Scheduler::bring_forward_what_may_start(double now) {
    if (waiting_.empty()) return false;
    const double left = ends_at_ - now;
    if (left >= least_worth_) return true;
    const auto known = speeds();
    for (std::size_t i = waiting_.size(); i-- > 0;) {
        const Task& task = waiting_[i];
        if (task.flops / (speed_of(task.size, known) * effective_ranks(sizes_[i])) > left) continue;
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
    const auto known = speeds();
    const std::vector<Waiting> longest_first = in_order(known, waiting_);
    if (ranks_per_trial_ > 0) {
        sizes_.assign(waiting_.size(), ranks_per_trial_);
    } else {
        sizes_ = allot(longest_first, free_at(known, now)).ranks;
        std::reverse(sizes_.begin(), sizes_.end());
    }
    for (std::size_t i = 0; i < sizes_.size(); ++i)
        sizes_[i] = std::max(sizes_[i], waiting_[i].least_ranks);
    changed_ = false;
    // Planning 10,000 trials takes a tenth of a second, so they are planned once a second.
    next_plan_ = now + 1e-4 * static_cast<double>(waiting_.size());
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

/// Sorts `tasks`, longest last; their times, longest first.
std::vector<Waiting> Scheduler::in_order(const std::map<double, Speed>& speeds,
                                         std::vector<Task>& tasks) const {
    struct Timed {
        Task task;
        double seconds;
    };
    std::vector<Timed> timed;
    for (const Task& task : tasks)
        timed.push_back({task, task.flops / speed_of(task.size, speeds)});
    std::sort(timed.begin(), timed.end(), [](const Timed& a, const Timed& b) {
        return a.seconds != b.seconds ? a.seconds < b.seconds : a.task.trial > b.task.trial;
    });
    std::vector<Waiting> longest_first;
    for (std::size_t i = 0; i < timed.size(); ++i) {
        tasks[i] = timed[i].task;
        const Timed& at_end = timed[timed.size() - 1 - i];
        longest_first.push_back({at_end.seconds, at_end.task.most_ranks});
    }
    return longest_first;
}

/// Seconds from `now` until each rank is free.
std::vector<double> Scheduler::free_at(const std::map<double, Speed>& speeds, double now) const {
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
    std::vector<double> free_at(idle_.size(), 0.0);
    for (const auto& [rank, trial] : busy_) {
        const auto end = ends.find(trial);
        free_at.push_back(end != ends.end() ? end->second
                                            : 0);  // its trial has ended; it will say in a moment
    }
    return free_at;
}

void Scheduler::progressed(int trial, double fraction, double now) {
    const auto found = running_.find(trial);
    if (found == running_.end()) return;
    found->second.fraction = fraction;
    found->second.seen = now;
    changed_ = true;
}

void Scheduler::finished(int trial, double fraction, double now) {
    ended(trial, fraction, now);
    const auto comes_after = [&](const Task& task) { return task.after == trial; };
    for (const Task& task : blocked_)
        if (comes_after(task)) {
            waiting_.push_back(task);
            sizes_.push_back(task.least_ranks);
            changed_ = true;
        }
    std::erase_if(blocked_, comes_after);
}

void Scheduler::ended(int trial, double fraction, double now) {
    progressed(trial, fraction, now);
    const auto found = running_.find(trial);
    assert(found != running_.end());
    if (found->second.flops_done() > 0 && found->second.seconds() > 0) {
        Speed& speed = ended_[found->second.task.size];
        speed.flops += found->second.flops_done();
        speed.seconds += found->second.seconds();
    }
    running_.erase(found);
}

void Scheduler::interrupted(int trial, double fraction, double now) {
    const Task task = running_.at(trial).task;
    ended(trial, fraction, now);
    waiting_.push_back(task);
    sizes_.push_back(1);
    stop();
}

void Scheduler::again(int trial, int least_ranks, double fraction, double now) {
    Task task = running_.at(trial).task;
    task.least_ranks = least_ranks;
    ended(trial, fraction, now);
    waiting_.push_back(task);
    sizes_.push_back(least_ranks);
    changed_ = true;
}

double Scheduler::remaining_rank_seconds() const {
    const auto known = speeds();
    double seconds = 0;
    for (const std::vector<Task>* tasks : {&waiting_, &blocked_})
        for (const Task& task : *tasks)
            seconds += task.flops / speed_of(task.size, known);
    for (const auto& [trial, running] : running_)
        seconds += (running.task.flops - running.flops_done()) / speed_of(running.task.size, known);
    if (seconds == 0) return 0;
    return known.empty() ? unknown : seconds;
}

double Scheduler::remaining_seconds(double now, int ranks) const {
    if (waiting_.empty() && running_.empty()) return 0;
    const auto known = speeds();
    if (known.empty()) return unknown;

    std::vector<double> free = free_at(known, now);
    free.resize(std::max(free.size(), static_cast<std::size_t>(ranks)), 0.0);
    if (free.empty()) return unknown;
    std::vector<Task> tasks = waiting_;
    tasks.insert(tasks.end(), blocked_.begin(), blocked_.end());
    const std::vector<Waiting> longest_first = in_order(known, tasks);
    if (ranks_per_trial_ == 0) return allot(longest_first, std::move(free)).end;

    // One slot a group: each is free when the last of its ranks is.
    const auto group = static_cast<std::size_t>(ranks_per_trial_);
    std::sort(free.begin(), free.end());
    std::vector<double> slots;
    for (std::size_t last = group - 1; last < free.size(); last += group)
        slots.push_back(free[last]);
    if (slots.empty()) return unknown;
    std::vector<double> seconds;
    for (const Waiting& task : longest_first)
        seconds.push_back(task.seconds / effective_ranks(ranks_per_trial_));
    return list_schedule_makespan(seconds, std::move(slots));
}

}  // namespace isogrid::cluster
