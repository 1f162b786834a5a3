#include "cluster/run/train_sweep.hpp"

#include <limits>
#include <string>

#include "cluster/coordination/coordinator.hpp"
#include "cluster/folder/attempts.hpp"
#include "cluster/folder/run_folder.hpp"
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

}  // namespace

std::string train_sweep(Sweep& sweep, const std::vector<int>& trials, const RunRequest& request,
                        const data::TokenFile& tokens, const MpiSession& session, const StopSignals& signals,
                        const Lock& lock, const archive::Writer& writer, program::Console& console) {
    const RunFolder folder = run_folder_of(request.archive);
    Progress progress(console, folder.progress);
    TrunkStates states(folder.checkpoints, request.study, trials);
    SegmentPacker packer(request.archive, writer, console);
    double stop_at = std::numeric_limits<double>::infinity();
    if (const auto end = seconds_to_end(unix_seconds())) {
        const Deadline deadline = deadline_of(*end);
        stop_at = steady_seconds() + deadline.stop_after;
        sweep.ends_at(stop_at, deadline.least_worth);
    }
    std::string cut_short;
    double lease_due = 0;
    const CoordinatorHooks hooks{.keep_going =
                                     [&](const Sweep& now) {
                                         const double time = steady_seconds();
                                         progress.update(now, time);
                                         if (signals.received()) cut_short = "by a signal";
                                         if (time >= stop_at) cut_short = time_is_over;
                                         if (!cut_short.empty()) return false;
                                         if (time < lease_due) return true;
                                         lease_due = time + 1;
                                         return lock.seems_held();
                                     },
                                 .on_finished =
                                     [&](const Sweep& now, const Finished& finished) {
                                         progress.trial_finished(now, finished, steady_seconds());
                                         if (finished.stored && archive::is_finished(finished.outcome))
                                             states.ended(finished.trial);
                                         packer.trial_ended();
                                     },
                                 .say = [&](const std::string& text) { console.line(text); },
                                 .on_host_set_aside =
                                     [&](const std::string& host, const std::vector<int>& failed_there) {
                                         for (const int trial : failed_there)
                                             pardon_host(folder.attempts, sweep.planned(trial),
                                                         host.substr(0, host.find(' ')));
                                     }};
    if (session.size() > 1) {
        WorkersTransport transport(session, request.cards.cards.seats);
        coordinate(*transport, sweep, lock.lease(), hooks);
    } else if (request.cards.cards.seats.each > 1) {
        coordinate_own_seats(request, tokens, signals, sweep, lock.lease(), hooks);
    } else {
        Workplace workplace = workplace_of(request, tokens);
        workplace.seconds_per_step = {};
        train_alone(sweep, workplace, writer, hooks);
    }
    progress.end(sweep, steady_seconds());
    if (cut_short.empty() && sweep.out_of_time())
        cut_short = "what is left takes longer than " + std::string(time_left);
    return cut_short;
}

}  // namespace isogrid::cluster
