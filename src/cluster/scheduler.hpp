// Which trial goes to which ranks next: pure logic, no messages and no clock of its own.
#pragma once

#include <map>
#include <set>
#include <span>
#include <vector>

namespace isogrid::cluster {

/// A trial that waits to be run.
struct Task {
    int trial = 0;       ///< index into the grid
    double flops = 0;    ///< exact, of the whole trial
    int most_ranks = 1;  ///< power of two: the leaves of its reduction tree
};

struct Assignment {
    int trial = 0;
    std::vector<int> ranks;  ///< rising, 2^k of them
    bool operator==(const Assignment&) const = default;
};

/// Longest first: tasks in falling order of FLOPs, ties by index, go to the lowest idle ranks. A group has
/// `ranks_per_trial` ranks where the job says so. Where it does not (0), a group is one rank while tasks are
/// plenty; once idle ranks outnumber the waiting tasks, groups double, the slowest first, up to the most
/// ranks their trials can use.
class Scheduler {
  public:
    Scheduler(std::vector<Task> tasks, int ranks_per_trial);

    void worker_idle(int rank) { idle_.insert(rank); }

    /// Everything that can start at time `now` (seconds); its ranks are busy until reported idle again.
    std::vector<Assignment> assign(double now);

    /// `fraction` (0..1) of a running trial's FLOPs is done at `now`.
    void progressed(int trial, double fraction, double now);

    /// A running trial ended; `fraction` of its FLOPs was done.
    void finished(int trial, double fraction, double now);

    /// The same, but asked to stop: the trial is to be run again from its start, and nothing more starts
    /// here.
    void interrupted(int trial, double fraction, double now);

    /// Starts nothing more; what waits still counts as remaining.
    void stop() { stopped_ = true; }

    bool over() const { return running_.empty() && (waiting_.empty() || stopped_); }

    /// FLOP/s of one rank, over everything done so far; 0 before anything was.
    double flops_per_rank_second() const;

    /// Seconds of one rank that the unfinished trials still cost; NaN before any throughput is known.
    double remaining_rank_seconds() const;

    /// Seconds from `now` until the last trial ends, by list scheduling the waiting ones behind the running
    /// ones on all `ranks` workers; NaN before any throughput is known.
    double remaining_seconds(double now, int ranks) const;

  private:
    struct Running {
        Task task;
        std::vector<int> ranks;
        double started = 0;
        double fraction = 0, seen = 0;  ///< the last progress, and when

        double flops_done() const { return fraction * task.flops; }
        double rank_seconds() const { return (seen - started) * static_cast<double>(ranks.size()); }
    };
    std::vector<int> group_sizes() const;

    std::vector<Task> waiting_;  ///< longest last
    std::set<int> idle_;
    std::map<int, Running> running_;
    int ranks_per_trial_;
    bool stopped_ = false;
    double flops_done_ = 0, rank_seconds_ = 0;  ///< of the trials that ended
};

}  // namespace isogrid::cluster
