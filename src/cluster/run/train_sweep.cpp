#include "cluster/run/train_sweep.hpp"

#include <limits>
#include <string>

#include "archive/run_folder.hpp"
#include "cluster/coordination/coordinator.hpp"
#include "cluster/folder/attempts.hpp"
#include "cluster/folder/trunk_states.hpp"
#include "cluster/messages/workers_transport.hpp"
#include "cluster/run/alone.hpp"
#include "cluster/run/segment_packer.hpp"
#include "cluster/run/worker_rank.hpp"
#include "cluster/site/allocation.hpp"
#include "cluster/site/clocks.hpp"
#include "cluster/sweep/progress.hpp"

namespace isogrid::cluster {

namespace {

constexpr const char* time_is_over = "the allocation is about to end, as SLURM_JOB_END_TIME says";
constexpr const char* time_left = "the allocation has, as SLURM_JOB_END_TIME says";

/// What happens beside the training of a sweep: how far it is gets shown, trial files are packed, states that
/// no trial goes on from are removed, and whatever should end it early is looked for.
class Supervision {
  public:
    /// All must outlive it.
    Supervision(Sweep& sweep, const std::vector<int>& trials, const StartedRun& run)
        : run_(run),
          folder_(run.request.archive),
          progress_(run.console, folder_.progress),
          states_(folder_.checkpoints, run.request.study, trials),
          packer_(run.request.archive, run.writer, run.console) {
        if (const auto end = seconds_to_end(unix_seconds())) {
            const Deadline deadline = deadline_of(*end);
            stop_at_ = steady_seconds() + deadline.stop_after;
            sweep.ends_at(stop_at_, deadline.least_worth);
        }
    }

    CoordinatorHooks hooks() {
        return {.keep_going = [this](const Sweep& sweep) { return keep_going(sweep); },
                .on_finished = [this](const Sweep& sweep,
                                      const Finished& finished) { trial_ended(sweep, finished); },
                .say = [this](const std::string& text) { run_.console.line(text); },
                .on_host_set_aside =
                    [this](const std::string& host, const std::vector<int>& failed_there) {
                        forget_failures(host, failed_there);
                    }};
    }

    /// What cut the sweep short, now that nothing of it runs any more; empty where nothing did.
    std::string end(const Sweep& sweep) {
        progress_.end(sweep, steady_seconds());
        if (cut_short_.empty() && sweep.out_of_time())
            cut_short_ = "what is left takes longer than " + std::string(time_left);
        return cut_short_;
    }

  private:
    bool keep_going(const Sweep& sweep) {
        const double time = steady_seconds();
        progress_.update(sweep, time);
        if (run_.signals.received()) cut_short_ = "by a signal";
        if (time >= stop_at_) cut_short_ = time_is_over;
        if (!cut_short_.empty()) return false;
        if (time < lease_due_) return true;
        lease_due_ = time + 1;
        return run_.lock.seems_held();
    }

    void trial_ended(const Sweep& sweep, const Finished& finished) {
        progress_.trial_finished(sweep, finished, steady_seconds());
        if (finished.stored && archive::is_finished(finished.outcome)) states_.ended(finished.trial);
        packer_.trial_ended();
    }

    void forget_failures(const std::string& host, const std::vector<int>& trials) {
        for (const int trial : trials)
            pardon_host(folder_.attempts, run_.request.study.grid.trials[static_cast<std::size_t>(trial)],
                        host.substr(0, host.find(' ')));
    }

    const StartedRun& run_;
    archive::RunFolder folder_;
    Progress progress_;
    TrunkStates states_;
    SegmentPacker packer_;
    double stop_at_ = std::numeric_limits<double>::infinity();
    double lease_due_ = 0;  ///< when to look at the lock again
    std::string cut_short_;
};

/// On other ranks, on the seats of this process's card, or here.
void train_where_it_is_done(Sweep& sweep, const StartedRun& run, const CoordinatorHooks& hooks) {
    const Seats& seats = run.request.card_plan.cards.seats;
    if (run.session.size() > 1) {
        WorkersTransport transport(run.session, seats);
        coordinate(*transport, sweep, run.lock.lease(), hooks);
    } else if (seats.each > 1) {
        coordinate_own_seats(run.request, run.tokens, run.signals, sweep, run.lock.lease(), hooks);
    } else {
        Workplace workplace = workplace_of(run.request, run.tokens);
        workplace.seconds_per_step = {};
        train_alone(sweep, workplace, run.writer, hooks);
    }
}

}  // namespace

std::string train_sweep(Sweep& sweep, const std::vector<int>& trials, const StartedRun& run) {
    Supervision supervision(sweep, trials, run);
    train_where_it_is_done(sweep, run, supervision.hooks());
    return supervision.end(sweep);
}

}  // namespace isogrid::cluster
