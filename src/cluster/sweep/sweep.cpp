#include "cluster/sweep/sweep.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

#include "cluster/schedule/workload.hpp"
#include "study/branches.hpp"

namespace isogrid::cluster {

namespace {

// One may be a trial's own trouble, as a name that is too long. Two in a row are the disk's, and whatever
// else is trained would be lost as well.
constexpr int most_not_stored = 2;

// One trial may fail by itself, and so may two. Where three do, and no trial has made a step before, it is
// the place that they are in: threads that cannot be started, a mount that is gone.
constexpr std::size_t most_given_up = 3;

std::vector<Task> tasks_of(const study::Study& study, const std::vector<int>& to_do, const History& history,
                           const std::vector<std::int64_t>& bytes) {
    std::vector<Task> tasks;
    for (const int trial : to_do) {
        const study::PlannedTrial& planned = study.grid.trials.at(static_cast<std::size_t>(trial));
        const double steps = static_cast<double>(planned.trial.tokens()) /
                             static_cast<double>(planned.trial.tokens_per_step());  // of the first one's size
        const auto attempts = history.attempts.find(trial);
        const auto trunk = history.trunks.find(trial);
        tasks.push_back(
            {.trial = trial,
             .flops = planned.flops(study::FlopConvention::exact) *
                      (steps > 0 ? steps_worth(planned.trial) / steps : 1) * part_left(study, trial, history),
             .most_ranks = static_cast<int>(planned.trial.leaves),
             .size = static_cast<double>(planned.parameters.total()),
             .least_ranks = attempts == history.attempts.end() ? 1 : least_ranks(attempts->second),
             .budget = planned.budget,
             .after = trunk == history.trunks.end() ? -1 : trunk->second,
             .bytes = bytes.empty() ? 0 : bytes.at(static_cast<std::size_t>(trial)),
             .alone = attempts != history.attempts.end() && attempts->second.crowded});
    }
    return tasks;
}

std::optional<double> known(double value) {
    return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace

History with_trunks(History history, const study::Study& study, const std::vector<int>& to_do) {
    const std::vector<std::size_t> places(to_do.begin(), to_do.end());
    for (const auto& [place, departure] : study::departures(study.grid.trials, places)) {
        const int trial = static_cast<int>(place);
        std::int64_t& before = history.steps_before[trial];
        if (before >= departure.step) continue;
        before = departure.step;
        history.trunks[trial] = static_cast<int>(departure.trunk);
    }
    return history;
}

double part_left(const study::Study& study, int trial, const History& history) {
    const auto found = history.steps_before.find(trial);
    if (found == history.steps_before.end()) return 1;
    return 1 - study.grid.trials.at(static_cast<std::size_t>(trial)).trial.part_done(found->second);
}

Sweep::Sweep(const study::Study& study, const std::vector<int>& to_do, int done_before, int workers,
             History history, CardPlan card_plan)
    : study_(study),
      history_(with_trunks(std::move(history), study, to_do)),
      seats_(card_plan.cards.seats),
      bytes_(std::move(card_plan.bytes)),
      scheduler_(tasks_of(study, to_do, history_, bytes_), static_cast<int>(study.job.ranks_per_trial),
                 card_plan.cards) {
    totals_.study = study.job.name;
    totals_.trials = static_cast<int>(study.grid.trials.size());
    totals_.done = done_before;
    totals_.workers = workers;
    account_.workers = workers;
}

/// Of what was left of the trial when this sweep began.
double Sweep::fraction(int trial, std::int64_t steps_done, std::int64_t steps) const {
    const study::Trial& of = planned(trial).trial;
    const std::int64_t before = of.sequences(steps_before(trial));
    const auto left = static_cast<double>(of.sequences(steps) - before);
    return left > 0 ? std::clamp(static_cast<double>(of.sequences(steps_done) - before) / left, 0.0, 1.0) : 0;
}

std::int64_t Sweep::steps_before(int trial) const {
    const auto found = history_.steps_before.find(trial);
    return found == history_.steps_before.end() ? 0 : found->second;
}

const study::PlannedTrial& Sweep::planned(int trial) const {
    return study_.grid.trials.at(static_cast<std::size_t>(trial));
}

void Sweep::measured(int trial, double seconds_per_step) {
    const study::PlannedTrial& of = planned(trial);
    const double flops_per_step = of.flops_per_token.exact * static_cast<double>(of.trial.tokens_per_step());
    if (seconds_per_step > 0 && flops_per_step > 0)
        scheduler_.measured(trial, static_cast<double>(of.parameters.total()),
                            flops_per_step / seconds_per_step);
}

std::vector<Assignment> Sweep::assign(double now) {
    std::vector<Assignment> assignments = scheduler_.assign(now);
    if (scheduler_.stopped() && !stopped_) {
        out_of_time_ = true;
        stop();
    }
    for (const Assignment& assignment : assignments)
        now_running(assignment.trial, static_cast<int>(assignment.ranks.size()));
    if (!started_ && !assignments.empty()) {
        started_ = now;
        predict(now);
    }
    return assignments;
}

/// Says once how long the sweep will take, as soon as a speed is known.
void Sweep::predict(double now) {
    if (std::isfinite(account_.predicted_seconds)) return;
    const double remaining = scheduler_.remaining_seconds(now, totals_.workers);
    if (!std::isfinite(remaining)) return;
    account_.predicted_at = now - *started_;
    account_.predicted_seconds = account_.predicted_at + remaining;
    account_.lower_bound_seconds =
        account_.predicted_at + scheduler_.remaining_lower_bound(now, totals_.workers);
}

SweepAccount Sweep::account() const {
    SweepAccount account = account_;
    account.busy_rank_seconds = scheduler_.busy_rank_seconds();
    return account;
}

void Sweep::now_running(int trial, int ranks) {
    unheard_.insert(trial);
    running_[trial] = {.name = planned(trial).name, .ranks = ranks, .steps = planned(trial).trial.steps};
}

void Sweep::lost(int trial) {
    running_.erase(trial);
    scheduler_.lost(trial);
}

void Sweep::host_set_aside(const std::string& host, const std::map<int, int>& failures) {
    totals_.set_aside.push_back(host);
    account_.hosts_set_aside = totals_.set_aside;
    for (const auto& [trial, times] : failures) {
        Attempts& attempts = history_.attempts[trial];
        attempts.failed = std::max(0, attempts.failed - times);
        const auto given_up =
            std::find_if(totals_.failed.begin(), totals_.failed.end(),
                         [&](const FailedTrial& failed) { return failed.name == planned(trial).name; });
        if (given_up == totals_.failed.end() ||
            set_aside(attempts, most_ranks(planned(trial).trial, totals_.workers)))
            continue;
        totals_.failed.erase(given_up);
        std::erase(given_up_, trial);
        --totals_.done;
        scheduler_.add(tasks_of(study_, {trial}, history_, bytes_).front());
    }
}

bool Sweep::take_back(int trial, const std::vector<int>& ranks, double now) {
    if (!scheduler_.take_back(trial, ranks, now)) return false;
    now_running(trial, static_cast<int>(ranks.size()));
    return true;
}

void Sweep::progressed(const TrialProgress& progress, double now) {
    const auto found = running_.find(progress.trial);
    if (found == running_.end()) return;
    if (unheard_.erase(progress.trial) > 0 && progress.steps_done != steps_before(progress.trial)) {
        // A checkpoint that came later than was known, or none that can be used.
        history_.steps_before[progress.trial] = progress.steps_done;
        scheduler_.goes_on_from(tasks_of(study_, {progress.trial}, history_, bytes_).front());
    }
    if (progress.steps_done > steps_before(progress.trial)) place_is_good_ = true;
    found->second.steps_done = progress.steps_done;
    found->second.tokens_per_second = progress.tokens_per_second;
    scheduler_.progressed(progress.trial, fraction(progress.trial, progress.steps_done, progress.steps), now);
}

void Sweep::finished(const Finished& finished, double now) {
    if (started_) account_.seconds = now - *started_;
    const auto running = running_.extract(finished.trial);
    const int ranks = running.empty() ? 1 : running.mapped().ranks;
    const double done = fraction(finished.trial, finished.steps_done, finished.steps);
    if (finished.outcome == archive::Outcome::interrupted) {
        scheduler_.interrupted(finished.trial, done, now);
        stop();
        return;
    }
    if (finished.stored && again(finished, ranks)) {
        const Attempts& attempts = history_.attempts[finished.trial];
        scheduler_.again(finished.trial, least_ranks(attempts), done, now, attempts.crowded);
        return;
    }
    scheduler_.finished(finished.trial, done, now);
    if (started_) predict(now);
    const std::string& name = planned(finished.trial).name;
    if (!finished.stored) {
        store_faults_.push_back(name + ": " + finished.store_fault);
        if (++not_stored_in_a_row_ >= most_not_stored) stop();
        return;
    }
    not_stored_in_a_row_ = 0;
    ++totals_.done;
    judge_place(finished);
    if (finished.outcome == archive::Outcome::diverged) ++totals_.diverged;
    if (archive::is_failure(finished.outcome))
        totals_.failed.push_back({name, std::string(archive::name(finished.outcome)), finished.cause});
}

void Sweep::paused(const Finished& finished, double now) {
    running_.erase(finished.trial);
    const double done = fraction(finished.trial, finished.steps_done, finished.steps);
    if (finished.stored) history_.steps_before[finished.trial] = finished.steps_done;
    Task left = tasks_of(study_, {finished.trial}, history_, bytes_).front();
    left.may_pause = finished.stored;
    scheduler_.paused(left, done, now);
}

/// A trial that was given up in a place where nothing has gone well yet.
void Sweep::judge_place(const Finished& finished) {
    if (finished.outcome != archive::Outcome::failed)
        place_is_good_ = true;
    else if (!place_is_good_)
        given_up_.push_back(finished.trial);
    if (given_up_.size() < most_given_up || place_is_good_) return;
    place_is_bad_ = true;
    stop();
}

/// Counts an attempt that ended badly; true where the trial may be tried again.
bool Sweep::again(const Finished& finished, int ranks) {
    if (!archive::is_failure(finished.outcome)) return false;
    Attempts& attempts = history_.attempts[finished.trial];
    count_attempt(attempts, finished.outcome, ranks, scheduler_.runs_alone(finished.trial),
                  threads_for(attempts, study_.job.threads_per_rank));
    return !set_aside(attempts, most_ranks(planned(finished.trial).trial, totals_.workers));
}

void Sweep::stop() {
    stopped_ = true;
    scheduler_.stop();
}

SweepState Sweep::state(double now) const {
    SweepState state = totals_;
    for (const auto& [trial, running] : running_) {
        state.running.push_back(running);
        state.tokens_per_second += running.tokens_per_second;
    }
    state.remaining_rank_seconds = known(scheduler_.remaining_rank_seconds());
    state.remaining_seconds = known(scheduler_.remaining_seconds(now, totals_.workers));
    return state;
}

}  // namespace isogrid::cluster
