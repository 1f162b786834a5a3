// Which trial goes to which ranks next: pure logic, no messages and no clock of its own.
#pragma once

#include <limits>
#include <map>
#include <span>
#include <vector>

#include "cluster/schedule/pause_cost.hpp"
#include "cluster/schedule/priority.hpp"
#include "cluster/schedule/regrouping.hpp"
#include "cluster/schedule/seating.hpp"
#include "cluster/schedule/speeds.hpp"

namespace isogrid::cluster {

struct Assignment {
    int trial = 0;
    std::vector<int> ranks;  ///< workers, rising, 2^k of them
    bool alone = true;       ///< no other trial comes to their cards before this one has ended
    bool operator==(const Assignment&) const = default;
};

/// Tasks go to the lowest idle ranks in the order that prioritize() gives them: longest first, as far as that
/// matters, and before them what lets the first budgets be whole. A task that comes after another one waits
/// until that has ended, whatever its outcome. A group has `ranks_per_trial` ranks where the job says so.
/// Where it does not (0), a group is one rank, unless that would let ranks idle at the end: then allot()
/// makes groups of trials that are longer than the rest together, and of the last ones. Ranks wait for the
/// others of their group no longer than two pauses take, else they begin without them.
///
/// Ranks with nothing else to do are given to a trial that runs longer than predicted, and a trial in a
/// larger group than it needs gives ranks to what waits: to_pause() names the trials that should leave a
/// checkpoint and go on from there with more ranks, or fewer.
///
/// Predictions come from what is measured while trials run: FLOP/s by size of the model, of the nearest size
/// where none of that size has run; in ratios of FLOPs while nothing is known.
///
/// Where cards have several seats (cluster/schedule/seating), ranks are the cards, and workers their seats.
/// Trials in groups of one are packed: as many on a card as fit and as measured worth it. A card's time is
/// shared between the trials on it, so that speeds are the card's, whatever else it did, and predictions need
/// not know who will sit beside whom. The order is kept: the next trial waits for room, and those behind it
/// too.
class Scheduler {
  public:
    Scheduler(std::vector<Task> tasks, int ranks_per_trial, const Cards& cards = {});

    void worker_idle(int worker);

    /// Counts on `worker` no more until it is idle again. Its trial is another matter: see lost().
    void worker_lost(int worker);

    /// Somebody has tried how many FLOP/s a rank does with this trial, a model of this size. Counts as much
    /// as a second of training.
    void measured(int trial, double size, double flops_per_second);

    /// Everything that can start at time `now` (seconds); its ranks are busy until reported idle again.
    std::vector<Assignment> assign(double now);

    /// `task` is what is left of a running trial where its attempt begins; fractions are of that.
    void goes_on_from(const Task& task);

    /// `fraction` (0..1) of a running trial's FLOPs is done at `now`.
    void progressed(int trial, double fraction, double now);

    /// A trial ended; `fraction` of its FLOPs was done. It may be waiting (again): who was taken for lost has
    /// done it after all.
    void finished(int trial, double fraction, double now);

    /// A trial ended as finished() has it, but waits again, for a group of at least `least_ranks`, and for a
    /// card of its own where it is to be `alone`.
    void again(int trial, int least_ranks, double fraction, double now, bool alone = false);

    /// A trial ended because it was asked to stop: it is to be run again from its start, and nothing more
    /// starts here.
    void interrupted(int trial, double fraction, double now);

    /// Running trials that are to be asked to pause, so that all ends sooner (cluster/schedule/regrouping).
    std::vector<int> to_pause(double now);

    /// A trial paused with `fraction` of its assigned work done; `task` is the remainder.
    void paused(const Task& task, double fraction, double now);

    /// Whoever ran this trial has been given up: it waits again, to be run from its start.
    void lost(int trial);

    /// Another trial is to be run, or one again that had ended.
    void add(const Task& task);

    /// `ranks` run this waiting trial after all. False when it does not wait, or nothing starts any more.
    bool take_back(int trial, const std::vector<int>& ranks, double now);

    /// Whether this running trial has its ranks to itself, from its start to its end.
    bool runs_alone(int trial) const;

    /// Nothing that would not end by `time` starts later than `least_worth` seconds before it; once nothing
    /// runs and nothing may start, this stops.
    void ends_at(double time, double least_worth) {
        ends_at_ = time;
        least_worth_ = least_worth;
    }

    bool stopped() const { return stopped_; }

    /// Starts nothing more; what waits still counts as remaining.
    void stop() { stopped_ = true; }

    /// The ranks that the next trial to start waits for; 0 when none waits.
    int next_group() const { return waiting_.empty() ? 0 : waiting_.back().group; }

    /// Ranks that idle for a few seconds: for trials that have been asked to pause and are to go on with
    /// them.
    int kept_for_pauses(double now) const;

    /// Whether a worker has room for the next trial to start.
    bool has_room() const;

    bool over() const { return running_.empty() && ((waiting_.empty() && blocked_.empty()) || stopped_); }

    /// Seconds that ranks have spent on trials, added up, those still running not counted.
    double busy_rank_seconds() const { return busy_rank_seconds_; }

    /// No schedule of what is left ends sooner than this many seconds after `now`, had it all `ranks`
    /// workers; NaN before any throughput is known.
    double remaining_lower_bound(double now, int ranks) const;

    /// Seconds of one rank that the unfinished trials still cost; NaN before any throughput is known.
    double remaining_rank_seconds() const;

    /// Seconds from `now` until the last trial ends, the waiting ones allotted behind the running ones on
    /// all `ranks` workers; NaN before any throughput is known.
    double remaining_seconds(double now, int ranks) const;

  private:
    struct Queued {
        Task task;
        int group = 1;  ///< ranks that it waits for
    };
    struct Running {
        Task task;
        std::vector<int> ranks;
        double started = 0;
        double fraction = 0, seen = 0;   ///< the last progress, and when
        double shared = 0, counted = 0;  ///< of the seconds until then, others' on the card
        double shared_until_seen = 0;
        bool alone = true;
        bool pausing = false;  ///< it has been asked to,
        int wanted_ranks = 0;  ///< to go on with so many

        int size() const { return static_cast<int>(ranks.size()); }
        double flops_done() const { return fraction * task.flops; }
        /// Of a rank, or of a card by itself, that this trial took.
        double own_seconds() const { return seen - started - shared_until_seen; }
    };
    /// Ranks at full effect that a group is worth, by what the sweep has shown.
    double worth(int ranks) const { return effective_ranks(ranks, doubling_efficiency_.value()); }
    Speeds speeds() const;
    std::map<int, double> ends(const Speeds& speeds, double now) const;
    std::vector<double> free_at(const std::map<int, double>& ends, std::span<const int> others = {}) const;
    std::vector<Task> not_started() const;
    std::vector<Waiting> times(const Speeds& speeds, const std::map<int, double>& ends,
                               std::span<const Task> tasks) const;
    struct Outlook {
        std::vector<Waiting> times;
        std::vector<double> free_at;
        int group = 0;  ///< ranks of each trial; 0 where it is for allot() to say
    };
    Outlook outlook(std::span<const Task> tasks, const Speeds& speeds, double now, int ranks) const;
    int group_among(int ranks) const;
    std::vector<InProgress> in_progress(const std::map<int, double>& ends, std::vector<int>& trials) const;
    void plan(double now);
    bool bring_forward_what_may_start(double now);
    std::vector<int> workers_for_next(double now);
    void learn_from(const Running& running);
    void learn_of_packing(const Running& running, double fraction, double now);
    void share_time(int worker, double now);
    void seen(int trial, double fraction, double now);
    void run(const Task& task, const std::vector<int>& workers, double now);
    void withdraw(std::vector<Queued>::iterator queued);
    std::vector<Queued>::iterator waiting(int trial);
    void unblock(int ended);

    std::vector<Queued> waiting_;  ///< the next one last
    std::vector<Task> blocked_;    ///< until the trial that they come after has ended
    bool changed_ = true;          ///< something since the last plan
    double next_plan_ = 0, next_regrouping_ = 0, next_look_at_group_ = 0;
    double asked_to_pause_ = -std::numeric_limits<double>::infinity();  ///< when trials were, the last time
    Seating seating_;
    double now_ = 0;  ///< the latest that this was told of
    std::map<int, Running> running_;
    int ranks_per_trial_;
    bool stopped_ = false;
    double ends_at_ = std::numeric_limits<double>::infinity(), least_worth_ = 0;
    double busy_rank_seconds_ = 0;
    Speeds ended_;  ///< what is known without the running trials
    DoublingEfficiency doubling_efficiency_;
    PauseCost pause_cost_;
};

}  // namespace isogrid::cluster
