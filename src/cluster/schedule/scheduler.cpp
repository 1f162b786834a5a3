#include "cluster/schedule/scheduler.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <iterator>
#include <limits>
#include <utility>

namespace isogrid::cluster {

Scheduler::Scheduler(std::vector<Task> tasks, int ranks_per_trial, const Cards& cards)
    : seating_(cards), ranks_per_trial_(ranks_per_trial) {
    std::set<int> trials;
    for (const Task& task : tasks)
        trials.insert(task.trial);
    for (const Task& task : tasks) {
        if (trials.contains(task.after))
            blocked_.push_back(task);
        else
            waiting_.push_back({.task = task});
    }
}

void Scheduler::worker_idle(int worker) {
    share_time(worker, now_);
    seating_.idle(worker, now_);
    changed_ = true;
}

void Scheduler::worker_lost(int worker) {
    share_time(worker, now_);
    seating_.gone(worker, now_);
    changed_ = true;
    next_plan_ = -std::numeric_limits<double>::infinity();  // what waits may wait for more than there are
}

void Scheduler::measured(int trial, double size, double flops_per_second) {
    doubling_efficiency_.ran(trial, 1, flops_per_second, 1);
    ended_.saw(size, flops_per_second, 1);
    changed_ = true;
}

std::vector<Assignment> Scheduler::assign(double now) {
    std::vector<Assignment> assignments;
    now_ = now;
    if (stopped_ || waiting_.empty() || !seating_.anybody_idle()) return assignments;
    if (changed_ && now >= next_plan_) plan(now);
    const int kept = kept_for_pauses(now);
    while (bring_forward_what_may_start(now)) {
        const std::vector<int> workers = workers_for_next(now);
        if (workers.empty()) break;
        if (kept > 0 && seating_.free_cards() - static_cast<int>(workers.size()) < kept) break;
        const Task& next = waiting_.back().task;
        assignments.push_back(
            {next.trial, workers, seating_.has_alone(next, static_cast<int>(workers.size()))});
        run(next, workers, now);
        waiting_.pop_back();
    }
    return assignments;
}

int Scheduler::kept_for_pauses(double now) const {
    int kept = 0;
    if (now >= asked_to_pause_ + 2 * pause_cost_.seconds()) return kept;
    for (const auto& [trial, running] : running_)
        if (running.pausing) kept += std::max(0, running.wanted_ranks - running.size());
    return kept;
}

/// Its group, if that is complete. Else as many of it as are idle, where the others would be longer in coming
/// than a pause is worth: the trial can be asked for one when they are there. None where it waits.
std::vector<int> Scheduler::workers_for_next(double now) {
    const Task& next = waiting_.back().task;
    int group = waiting_.back().group;
    std::vector<int> workers = seating_.seats_for(next, group);
    const bool may_grow = ranks_per_trial_ == 0 && next.may_pause && ends_at_ - now >= least_worth_;
    if (!workers.empty() || !may_grow || now < next_look_at_group_) return workers;
    std::vector<double> free = free_at(ends(speeds(), now));
    std::sort(free.begin(), free.end());
    const bool soon = !(free[static_cast<std::size_t>(group) - 1] > 2 * pause_cost_.seconds());
    while (!soon && workers.empty() && group > next.least_ranks) {
        group /= 2;
        workers = seating_.seats_for(next, group);
    }
    // Predicting the ends of 10,000 trials takes milliseconds.
    if (workers.empty()) next_look_at_group_ = now + 1e-3 * static_cast<double>(running_.size());
    return workers;
}

/// From now on `workers` are at it.
void Scheduler::run(const Task& task, const std::vector<int>& workers, double now) {
    for (const int worker : workers)
        share_time(worker, now);
    const bool alone = seating_.has_alone(task, static_cast<int>(workers.size()));
    seating_.take(workers, task, now);
    running_.emplace(
        task.trial,
        Running{.task = task, .ranks = workers, .started = now, .seen = now, .counted = now, .alone = alone});
}

/// Before the trials on a worker's card become others: what time each of them has left to those beside it.
void Scheduler::share_time(int worker, double now) {
    const int together = seating_.together(worker);
    if (together == 1) return;
    for (const int trial : seating_.trials_beside(worker)) {
        const auto found = running_.find(trial);
        if (found == running_.end()) continue;
        Running& running = found->second;
        running.shared += (now - running.counted) * (1 - 1.0 / together);
        running.counted = now;
    }
}

bool Scheduler::has_room() const {
    if (waiting_.empty()) return false;
    const Queued& next = waiting_.back();
    if (seating_.seats_for(next.task, next.group).empty()) return false;
    const int kept = kept_for_pauses(now_);
    return kept == 0 || seating_.free_cards() - next.group >= kept;
}

bool Scheduler::runs_alone(int trial) const {
    const auto found = running_.find(trial);
    return found == running_.end() || found->second.alone;
}

/// The first task that may still start, and not only on more ranks than there are, becomes the next one.
/// False when there is none; with none running either it never will be.
bool Scheduler::bring_forward_what_may_start(double now) {
    if (waiting_.empty()) return false;
    const double left = ends_at_ - now;
    const bool in_time = left >= least_worth_;
    const int there = seating_.cards_there();
    if (in_time && waiting_.back().group <= there) return true;
    const auto known = speeds();
    for (std::size_t i = waiting_.size(); i-- > 0;) {
        const auto& [task, group] = waiting_[i];
        if (group > there) continue;
        const double sharing = group == 1 ? seating_.worth(task.size) : 1;
        if (!in_time && sharing * task.flops / (known.of(task.size) * worth(group)) > left) continue;
        const auto place = waiting_.begin() + static_cast<std::ptrdiff_t>(i);
        std::rotate(place, place + 1, waiting_.end());
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
    const auto most =
        static_cast<int>(std::bit_floor(static_cast<unsigned>(std::max(1, seating_.cards_there()))));
    waiting_.clear();
    for (std::size_t i = priorities.order.size(); i-- > 0;) {
        const Task& task = tasks[priorities.order[i]];
        if (blocked.contains(task.trial)) continue;
        const int group = task.wanted_ranks > 0 ? std::min(task.wanted_ranks, most)
                          : outlook.group > 0   ? outlook.group
                                                : priorities.ranks[i];
        waiting_.push_back({.task = task, .group = std::max(task.least_ranks, group)});
    }
    changed_ = false;
    // Planning 10,000 trials takes tenths of a second, so they are planned every 10 seconds.
    next_plan_ = now + 1e-3 * static_cast<double>(tasks.size());
}

std::vector<Task> Scheduler::not_started() const {
    std::vector<Task> tasks;
    for (const Queued& queued : waiting_)
        tasks.push_back(queued.task);
    tasks.insert(tasks.end(), blocked_.begin(), blocked_.end());
    return tasks;
}

void Scheduler::progressed(int trial, double fraction, double now) {
    const auto found = running_.find(trial);
    if (found != running_.end()) learn_of_packing(found->second, fraction, now);
    seen(trial, fraction, now);
}

void Scheduler::goes_on_from(const Task& task) {
    const auto found = running_.find(task.trial);
    if (found == running_.end()) return;
    found->second.task.flops = task.flops;
    changed_ = true;
}

void Scheduler::seen(int trial, double fraction, double now) {
    now_ = std::max(now_, now);
    const auto found = running_.find(trial);
    if (found == running_.end()) return;
    Running& running = found->second;
    share_time(running.ranks.front(), now);
    running.fraction = fraction;
    running.seen = now;
    running.shared_until_seen = running.shared;
    changed_ = true;
}

/// What a trial did from its last note to this one, where its card had the same trials all the while, and all
/// of them were past their beginnings: a trial that starts makes ready first.
void Scheduler::learn_of_packing(const Running& running, double fraction, double now) {
    constexpr double settling = 1;  // seconds
    const int worker = running.ranks.front();
    if (running.alone || !(running.fraction > 0) || running.seen < seating_.changed_at(worker) + settling)
        return;
    seating_.measured(worker, running.task.size, (fraction - running.fraction) * running.task.flops,
                      now - running.seen);
}

/// What an attempt that ended has shown.
void Scheduler::learn_from(const Running& running) {
    busy_rank_seconds_ += running.own_seconds() * running.size();
    if (running.alone)
        doubling_efficiency_.ran(running.task.trial, running.size(), running.flops_done(),
                                 running.own_seconds());
    ended_.saw(running.task.size, running.flops_done(), running.own_seconds() * worth(running.size()));
}

std::vector<Scheduler::Queued>::iterator Scheduler::waiting(int trial) {
    return std::find_if(waiting_.begin(), waiting_.end(),
                        [&](const Queued& queued) { return queued.task.trial == trial; });
}

void Scheduler::withdraw(std::vector<Queued>::iterator queued) {
    waiting_.erase(queued);
    changed_ = true;
}

void Scheduler::finished(int trial, double fraction, double now) {
    const auto found = running_.find(trial);
    if (found == running_.end()) {
        const auto queued = waiting(trial);
        assert(queued != waiting_.end());
        withdraw(queued);
    } else {
        seen(trial, fraction, now);
        learn_from(found->second);
        running_.erase(found);
    }
    doubling_efficiency_.ended(trial);
    unblock(trial);
}

/// What came after the trial that `ended` waits for nothing but ranks. It is the next to start; where
/// planning takes long, whether it should be must wait: a study of many trunks would plan at each one's end.
void Scheduler::unblock(int ended) {
    constexpr std::size_t quickly_planned = 1000;
    const auto still = std::stable_partition(blocked_.begin(), blocked_.end(),
                                             [&](const Task& task) { return task.after != ended; });
    for (auto task = still; task != blocked_.end(); ++task) {
        const int group = std::max(task->least_ranks, group_among(seating_.cards_there()));
        waiting_.push_back({.task = *task, .group = group});
        if (waiting_.size() + blocked_.size() <= quickly_planned)
            next_plan_ = -std::numeric_limits<double>::infinity();
    }
    blocked_.erase(still, blocked_.end());
}

void Scheduler::interrupted(int trial, double fraction, double now) {
    seen(trial, fraction, now);
    lost(trial);
    stop();
}

void Scheduler::paused(const Task& task, double fraction, double now) {
    const auto found = running_.find(task.trial);
    assert(found != running_.end());
    if (const Running& before = found->second; before.flops_done() > 0 && before.own_seconds() > 0) {
        const double trained = (fraction - before.fraction) * before.task.flops;  // since its last note
        pause_cost_.left_checkpoint(now - before.seen -
                                    trained / (before.flops_done() / before.own_seconds()));
    }
    seen(task.trial, fraction, now);
    learn_from(found->second);
    Task left = task;
    left.wanted_ranks = found->second.wanted_ranks;
    left.least_ranks = found->second.task.least_ranks;
    left.alone = found->second.task.alone;
    running_.erase(found);
    add(left);
}

void Scheduler::again(int trial, int least_ranks, double fraction, double now, bool alone) {
    seen(trial, fraction, now);
    if (running_.contains(trial)) lost(trial);
    const auto queued = waiting(trial);
    assert(queued != waiting_.end());
    queued->task.least_ranks = queued->group = least_ranks;
    queued->task.alone = alone;
}

void Scheduler::lost(int trial) {
    const auto found = running_.find(trial);
    assert(found != running_.end());
    learn_from(found->second);
    add(found->second.task);
    running_.erase(found);
}

void Scheduler::add(const Task& task) {
    waiting_.push_back({.task = task, .group = task.least_ranks});
    changed_ = true;
    next_plan_ = -std::numeric_limits<double>::infinity();  // its group is not sized yet
}

bool Scheduler::take_back(int trial, const std::vector<int>& ranks, double now) {
    const auto queued = waiting(trial);
    if (stopped_ || queued == waiting_.end()) return false;
    run(queued->task, ranks, now);  // timed from here on: how long it was silent says nothing of its speed
    withdraw(queued);
    return true;
}

}  // namespace isogrid::cluster
