// Where a sweep stands: what is done, what runs, what failed, and what is left. Fed by the coordinator, or by
// the loop of a program that runs alone; what of it people ask for is a SweepState.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/folder/attempts.hpp"
#include "cluster/messages/protocol.hpp"
#include "cluster/schedule/scheduler.hpp"
#include "cluster/sweep/account.hpp"
#include "cluster/sweep/card_plan.hpp"
#include "cluster/sweep/sweep_state.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

/// What earlier starts have left of the trials to do.
struct History {
    std::map<int, std::int64_t> steps_before = {};  ///< that checkpoints have done, and nobody trains again
    std::map<int, Attempts> attempts = {};          ///< that ended badly
    std::map<int, int> trunks = {};  ///< by a branch, the trial to do that it waits for: see with_trunks
};

/// `history` of the trials to do, and of what they leave each other: a branch waits for the trunk to do that
/// it leaves, whose steps nobody does again, unless its own steps have come as far already.
History with_trunks(History history, const study::Study& study, const std::vector<int>& to_do);

/// The share (0 to 1) of a trial that is left after the steps that `history` says are done.
double part_left(const study::Study& study, int trial, const History& history);

class Sweep {
  public:
    /// `to_do`: indices into the study's grid, which must outlive this; `done_before`: trials already on
    /// disk, those set aside among them; `workers` that train, or cards where these have several seats.
    Sweep(const study::Study& study, const std::vector<int>& to_do, int done_before, int workers,
          History history = {}, CardPlan card_plan = {});

    /// Trials done before that have no result.
    void failed_before(std::vector<FailedTrial> failed) { totals_.failed = std::move(failed); }

    /// The allocation ends at `time`, on the clock of assign(): what can neither finish until then nor train
    /// for `least_worth` seconds is not started, and the sweep stops when that is all there is.
    void ends_at(double time, double least_worth) { scheduler_.ends_at(time, least_worth); }

    void worker_idle(int worker) { scheduler_.worker_idle(worker); }
    /// A step of this trial takes so long on one rank.
    void measured(int trial, double seconds_per_step);
    std::vector<Assignment> assign(double now);
    void progressed(const TrialProgress& progress, double now);
    void finished(const Finished& finished, double now);

    /// Running trials that are to be asked to pause, so that they go on with more ranks, or fewer.
    std::vector<int> to_pause(double now) { return scheduler_.to_pause(now); }
    /// A running trial has paused: it waits again, to go on from its checkpoint.
    void paused(const Finished& finished, double now);

    /// `worker` has been given up, and so, if it ran one, has its trial: see lost().
    void worker_lost(int worker) { scheduler_.worker_lost(worker); }
    void lost(int trial);
    /// Counts on `host` no more. That trials have failed there, so often each, was the host's fault: those
    /// that were given up for it wait again.
    void host_set_aside(const std::string& host, const std::map<int, int>& failures);
    /// `ranks` run this waiting trial after all; false when others do, or nothing starts any more.
    bool take_back(int trial, const std::vector<int>& ranks, double now);

    /// The ranks that the next trial to start waits for; 0 when none waits.
    int next_group() const { return scheduler_.next_group(); }

    /// Ranks that idle for trials that have been asked to pause.
    int kept_for_pauses(double now) const { return scheduler_.kept_for_pauses(now); }

    /// Whether the next trial to start could do so now.
    bool has_room() const { return scheduler_.has_room(); }

    /// Nothing new starts from here on; what runs may still end.
    void stop();
    bool stopped() const { return stopped_; }

    bool over() const { return scheduler_.over(); }
    const std::vector<std::string>& store_faults() const { return store_faults_; }
    /// Three trials have been given up before any trial made a step in this start: nothing starts any more,
    /// as it is no fault of theirs.
    bool place_is_bad() const { return place_is_bad_; }
    const std::vector<int>& given_up() const { return given_up_; }  ///< those trials
    /// It stopped as nothing that is left can end, or get anywhere, before the allocation does.
    bool out_of_time() const { return out_of_time_; }
    SweepState state(double now) const;
    /// state() without what runs and what is left to do, which take longer.
    const SweepState& totals() const { return totals_; }
    int done() const { return totals_.done; }
    /// What this start has taken so far, beside what was predicted.
    SweepAccount account() const;
    const study::PlannedTrial& planned(int trial) const;
    /// Steps of a trial that checkpoints have done, and nobody trains again.
    std::int64_t steps_before(int trial) const;
    const Seats& seats() const { return seats_; }

  private:
    bool again(const Finished& finished, int ranks);
    void judge_place(const Finished& finished);
    double fraction(int trial, std::int64_t steps_done, std::int64_t steps) const;
    void now_running(int trial, int ranks);
    void predict(double now);

    const study::Study& study_;
    History history_;
    Seats seats_;
    std::vector<std::int64_t> bytes_;  ///< of a card's memory, by trial
    Scheduler scheduler_;
    SweepState totals_;
    SweepAccount account_;
    std::optional<double> started_;  ///< when the first trial was assigned
    std::map<int, RunningTrial> running_;
    std::set<int> unheard_;                  ///< of those, whose attempt has not told where it begins
    std::vector<std::string> store_faults_;  ///< trials that ended but could not be written, and why
    int not_stored_in_a_row_ = 0;
    bool place_is_good_ = false;  ///< a trial has made a step in this start
    bool place_is_bad_ = false, out_of_time_ = false;
    std::vector<int> given_up_;  ///< before one has
    bool stopped_ = false;
};

}  // namespace isogrid::cluster
