#include "cluster/run/first_rank.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <limits>
#include <utility>

#include "archive/archive.hpp"
#include "archive/provenance.hpp"
#include "archive/run_folder.hpp"
#include "archive/segment.hpp"
#include "archive/so_far.hpp"
#include "archive/trial_file.hpp"
#include "archive/verify.hpp"
#include "cluster/coordination/coordinator.hpp"
#include "cluster/folder/attempts.hpp"
#include "cluster/folder/checkpoints.hpp"
#include "cluster/folder/lock.hpp"
#include "cluster/folder/run_folder.hpp"
#include "cluster/folder/trunk_states.hpp"
#include "cluster/messages/workers_transport.hpp"
#include "cluster/run/alone.hpp"
#include "cluster/run/refusals.hpp"
#include "cluster/run/words.hpp"
#include "cluster/run/worker_rank.hpp"
#include "cluster/site/allocation.hpp"
#include "cluster/site/clocks.hpp"
#include "cluster/site/stop_signals.hpp"
#include "cluster/sweep/account.hpp"
#include "cluster/sweep/left_to_do.hpp"
#include "cluster/sweep/progress.hpp"
#include "cluster/sweep/progress_file.hpp"
#include "files/durable.hpp"
#include "program/console.hpp"
#include "program/ending.hpp"
#include "program/quantities.hpp"

namespace isogrid::cluster {

using program::bytes, program::Console, program::exit_done, program::exit_other, program::exit_bad_input,
    program::exit_interrupted, program::refuse;

namespace {

/// Rank 0's part of a sweep, from the lock to the archive.
class FirstRank {
  public:
    FirstRank(const RunRequest& request, const MpiSession& session, const StopSignals& signals,
              const Misplaced& misplaced)
        : request_(request),
          study_(request.study),
          session_(session),
          signals_(signals),
          folder_(run_folder_of(request.archive)),
          console_(Console::standard()),
          words_(console_, request, misplaced) {}

    bool stopped() const { return stopped_; }  ///< the workers have been told already

    int run() {
        if (const study::Faults faults = group_faults(study_, workers()); !faults.empty())
            return refuse(faults);
        // A look before the lock is taken: where all would be wrong, or nothing is to do, nothing is touched.
        auto found = look();
        if (!found) return refuse(found.error());
        const LeftToDo left =
            left_to_do(*found, study_, request_.archive, folder_, workers(), request_.retry);
        if (left.trials.empty() && nothing_to_merge()) {
            words_.finished_before(*found, left);
            return exit_done;
        }
        const auto tokens = data::TokenFile::open(study_.job.token_file);
        if (!tokens) return refuse(tokens.error());
        files::make_folders(folder_.root);
        const int code = run_locked(*tokens, /*trains=*/!left.trials.empty());
        // The lock has just left it, unless it is another's.
        std::error_code not_empty;
        if (is_over(code)) std::filesystem::remove(folder_.root, not_empty);
        return code;
    }

  private:
    int workers() const { return std::max(1, session_.size() - 1); }
    std::size_t trials() const { return study_.grid.trials.size(); }

    /// What there is already; a fault where going on would mix two studies.
    study::Result<archive::Found> look() const {
        auto found = archive::find_trials(request_.archive, study_.grid);
        if (found && !found->foreign.empty()) return tl::unexpected(std::move(found->foreign));
        return found;
    }

    /// The digest is part of every trial's identity: it must be that of the tokens, not of the header only.
    study::Result<void> verify(const data::TokenFile& tokens) {
        constexpr double takes_seconds = 4e9;  // bytes, of which 1 to 2e9 are hashed a second
        const auto size = static_cast<double>(std::filesystem::file_size(study_.job.token_file));
        if (size > takes_seconds)
            console_.line("reading all of " + study_.job.token_file.string() + " (" + bytes(size) +
                          ") to see that its tokens are those of its digest");
        return tokens.verify();
    }

    /// No run folder, or one with nothing in it but the states that the job keeps.
    bool nothing_to_merge() const {
        return !std::filesystem::exists(folder_.root) ||
               (study_.job.keep_trunks && holds_only_states(folder_.root, folder_.checkpoints));
    }

    /// Nobody goes on from what such an end leaves behind.
    static bool is_over(int code) { return code == exit_done || code == exit_bad_input; }

    int run_locked(const data::TokenFile& tokens, bool trains) {
        auto lock = Lock::take(folder_.lock);
        if (!lock) return refuse(lock.error());
        // Only who has the lock touches these: to another run they may be empty, and in use.
        const auto folders = {folder_.trials, folder_.checkpoints, folder_.attempts};
        for (const auto& folder : folders)
            files::make_folders(folder);
        const int code = run_with(*lock, tokens, trains);
        std::error_code not_empty;
        for (const auto& folder : folders)
            if (is_over(code)) std::filesystem::remove(folder, not_empty);
        return code;
    }

    int run_with(const Lock& lock, const data::TokenFile& tokens, bool trains) {
        if (lock.predecessor())
            console_.line("taking over from a run that is gone: " + describe(*lock.predecessor()));
        const archive::Writer writer{.tag = archive::writer_tag(),
                                     .still_holder = [&] { return lock.held(); }};
        // With the lock, whose heartbeat says that somebody is at it: both may take long.
        if (trains)
            if (const auto sound = verify(tokens); !sound) return refuse(sound.error());
        if (trains && request_.check)
            if (const study::Faults faults = request_.check(tokens); !faults.empty()) return refuse(faults);
        archive::remove_unfinished(request_.archive);
        archive::remove_temporaries(folder_.checkpoints);

        auto found = look();  // again, now that nobody else can change it
        if (!found) return refuse(found.error());
        for (const study::Fault& fault : found->rejected)
            console_.line("not used: " + study::to_string(fault));
        // The input is good. A disk that refuses to say so is passed over.
        std::ofstream(folder_.accepted) << archive::provenance_here().slurm_job << "\n";

        note_disappeared(folder_.attempts, CheckpointListing(folder_.checkpoints).steps());
        const LeftToDo left =
            left_to_do(*found, study_, request_.archive, folder_, workers(), request_.retry);
        for (const int trial : left.retried)
            note_retried(folder_.attempts, study_.grid.trials[static_cast<std::size_t>(trial)]);
        forget_wish(left.retried);
        for (const archive::TrialRecord& record : left.aside)
            archive::write_trial_file(folder_.trials, record, writer);
        Sweep sweep(study_, left.trials, static_cast<int>(trials() - left.trials.size()), workers(),
                    left.history, request_.cards);
        sweep.failed_before(left.failed);
        if (!left.trials.empty()) {
            note_study(writer);
            words_.begins(left, session_.size());
            train(sweep, left.trials, tokens, lock, writer);
        }
        if (!lock.held()) {
            words_.taken_over();
            return exit_other;
        }
        if (!sweep.store_faults().empty()) {
            words_.not_stored(sweep.store_faults());
            return exit_other;
        }
        if (const SweepState state = sweep.state(steady_seconds()); state.done < static_cast<int>(trials())) {
            words_.interrupted(state);
            return exit_interrupted;
        }
        return merge(sweep, lock, writer);
    }

    /// For fits before the end. Trials are worth more than that: they are trained where a disk refuses it.
    void note_study(const archive::Writer& writer) {
        try {
            archive::write_study_file(request_.archive, study_, writer);
        } catch (const std::exception& error) {
            console_.line("what a fit before the end should know is not noted: " + std::string(error.what()));
        }
    }

    /// slurm/sweep asks at every start, until a disk has taken the notes of all that it has asked for.
    void forget_wish(const std::vector<int>& retried) const {
        const bool noted = std::all_of(retried.begin(), retried.end(), [&](int trial) {
            return read_attempts(folder_.attempts, study_.grid.trials[static_cast<std::size_t>(trial)])
                .retried;
        });
        std::error_code none_there;
        if (noted && !request_.retry.empty()) std::filesystem::remove(folder_.retry, none_there);
    }

    int merge(const Sweep& sweep, const Lock& lock, const archive::Writer& writer) {
        const auto merged =
            archive::merge(request_.archive, study_, writer,
                           with_account(request_.libraries, sweep.account()), /*least=*/trials());
        if (!merged) return refuse(merged.error());
        if (merged->missing > 0) {
            words_.gone(merged->missing);
            return exit_interrupted;
        }
        if (!writer.still_holder()) {
            words_.taken_over();
            return exit_other;
        }
        const archive::VerifyReport report = archive::verify_archive(request_.archive);
        if (!report.good()) {
            std::cerr << study::to_string(report.faults) << request_.archive.string()
                      << ": does not hold what was written (see above) its trials are still in "
                      << folder_.trials.string() << ": move it away and run the same command again\n";
            return exit_other;
        }
        if (!lock.held()) {  // reading it all may have taken longer than a lock lives
            words_.taken_over();
            return exit_other;
        }
        tidy_up(merged->rejected, lock);
        words_.done(sweep.state(steady_seconds()), report.digest);
        return exit_done;
    }

    /// Everything in the run folder is in the archive now, but for what could not be used, and the states
    /// that the job keeps.
    void tidy_up(const study::Faults& rejected, const Lock& lock) const {
        archive::remove_merged(request_.archive, rejected);
        remove_progress_file(folder_.progress);
        clean_checkpoints(folder_.checkpoints, study_.job.keep_trunks);
        std::error_code not_empty;
        std::filesystem::remove(folder_.study, not_empty);
        std::filesystem::remove_all(folder_.attempts, not_empty);
        std::filesystem::remove_all(folder_.unfit, not_empty);
        for (const auto& file : {folder_.accepted, folder_.failures})
            std::filesystem::remove(file, not_empty);
        // Who wished for something that nobody has heard yet is asked again.
        if (!std::filesystem::exists(folder_.retry, not_empty))
            std::filesystem::remove(folder_.wished_by, not_empty);
        remove_left_behind(lock);
    }

    /// Trains what the sweep holds, until all of it ended or a signal came.
    void train(Sweep& sweep, const std::vector<int>& to_do, const data::TokenFile& tokens, const Lock& lock,
               const archive::Writer& writer) {
        Progress progress(console_, folder_.progress);
        TrunkStates states(folder_.checkpoints, study_, to_do);
        double stop_at = std::numeric_limits<double>::infinity();
        if (const auto end = seconds_to_end(unix_seconds())) {
            const Deadline deadline = deadline_of(*end);
            stop_at = steady_seconds() + deadline.stop_after;
            sweep.ends_at(stop_at, deadline.least_worth);
        }
        double lease_due = 0;
        std::size_t not_packed = 0, worth_packing = archive::trials_a_segment;
        const CoordinatorHooks hooks{
            .keep_going =
                [&](const Sweep& now) {
                    const double time = steady_seconds();
                    progress.update(now, time);
                    if (signals_.received() || time >= stop_at) return false;
                    if (time < lease_due) return true;
                    lease_due = time + 1;
                    return lock.held();
                },
            .on_finished =
                [&](const Sweep& now, const Finished& finished) {
                    progress.trial_finished(now, finished, steady_seconds());
                    if (finished.stored && archive::is_finished(finished.outcome))
                        states.ended(finished.trial);
                    if (++not_packed < worth_packing) return;
                    not_packed = 0;
                    // Looking at files that are too large to be packed takes time too.
                    worth_packing = pack(writer) ? archive::trials_a_segment : 2 * worth_packing;
                },
            .say = [&](const std::string& text) { console_.line(text); },
            .on_host_set_aside =
                [&](const std::string& host, const std::vector<int>& trials) {
                    for (const int trial : trials)
                        pardon_host(folder_.attempts, sweep.planned(trial), host.substr(0, host.find(' ')));
                }};
        if (session_.size() > 1) {
            WorkersTransport transport(session_, request_.cards.cards.seats);
            coordinate(*transport, sweep, lock.lease(), hooks);
        } else if (request_.cards.cards.seats.each > 1) {
            coordinate_own_seats(request_, tokens, signals_, sweep, lock.lease(), hooks);
        } else {
            Workplace workplace = workplace_of(request_, tokens);
            workplace.seconds_per_step = {};
            train_alone(sweep, workplace, writer, hooks);
        }
        progress.end(sweep, steady_seconds());
        stopped_ = sweep.stopped();
    }

    /// Trial files that find no room for a segment are as good as one. Whether any were packed.
    bool pack(const archive::Writer& writer) {
        try {
            return archive::pack_trial_files(request_.archive, writer, archive::trials_a_segment) > 0;
        } catch (const std::exception& error) {
            console_.line("trial files are not packed: " + std::string(error.what()));
            return false;
        }
    }

    const RunRequest& request_;
    const study::Study& study_;
    const MpiSession& session_;
    const StopSignals& signals_;
    RunFolder folder_;
    Console console_;
    RunWords words_;
    bool stopped_ = false;
};

}  // namespace

FirstRankEnd run_first_rank(const RunRequest& request, const MpiSession& session, const StopSignals& signals,
                            const Misplaced& misplaced) {
    FirstRank run(request, session, signals, misplaced);
    const int code = run.run();
    return {.exit_code = code, .workers_dismissed = run.stopped()};
}

}  // namespace isogrid::cluster
