#include "cluster/run/first_rank.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "archive/durable_file.hpp"
#include "archive/find_trials.hpp"
#include "archive/process_identity.hpp"
#include "archive/provenance.hpp"
#include "archive/run_folder.hpp"
#include "archive/so_far.hpp"
#include "archive/trial_file.hpp"
#include "cluster/folder/attempts.hpp"
#include "cluster/folder/checkpoints.hpp"
#include "cluster/folder/lock.hpp"
#include "cluster/folder/trunk_states.hpp"
#include "cluster/run/conclude.hpp"
#include "cluster/run/refusals.hpp"
#include "cluster/run/train_sweep.hpp"
#include "cluster/run/words.hpp"
#include "cluster/sweep/left_to_do.hpp"
#include "data/token_file.hpp"
#include "files/durable.hpp"
#include "files/folder.hpp"
#include "program/console.hpp"
#include "program/ending.hpp"

namespace isogrid::cluster {

using program::Console, program::exit_done, program::exit_bad_input, program::refuse;

namespace {

/// What is done and what is left, before and under the lock; train_sweep and conclude do the rest.
class FirstRank {
  public:
    FirstRank(const RunRequest& request, const MpiSession& session, const StopSignals& signals,
              const Misplaced& misplaced)
        : request_(request),
          study_(request.study),
          session_(session),
          signals_(signals),
          folder_(request.archive),
          console_(Console::standard()),
          words_(console_, request, misplaced) {}

    bool stopped() const { return stopped_; }  ///< the workers have been told already

    int run() {
        if (const base::Faults faults = group_faults(study_, workers()); !faults.empty())
            return refuse(faults);
        // A look before the lock is taken: where all would be wrong, or nothing is to do, nothing is touched.
        // Weights may be many, and who reads them for minutes before a heartbeat shows is taken for dead.
        auto found = look(archive::WeightsUse::skip);
        if (!found) return refuse(found.error());
        const LeftToDo left = left_to_do(*found, study_, request_.archive, workers(), request_.retry);
        if (left.trials.empty() && nothing_to_merge()) {
            words_.finished_before(*found, left);
            return exit_done;
        }
        const auto tokens = data::TokenFile::open(study_.job.token_file);
        if (!tokens) return refuse(tokens.error());
        files::make_folders(folder_.root);
        const int code = run_locked(*tokens);
        // The lock has just left it, unless it is another's.
        if (is_over(code)) files::remove_empty_folder(folder_.root);
        return code;
    }

  private:
    int workers() const { return session_.workers(); }
    std::size_t trials() const { return study_.grid.trials.size(); }

    /// What there is already; a fault where going on would mix two studies.
    base::Result<archive::Found> look(archive::WeightsUse weights) const {
        auto found = archive::find_trials(request_.archive, study_.grid, weights);
        if (found && !found->foreign.empty()) return tl::unexpected(std::move(found->foreign));
        return found;
    }

    /// The digest is part of every trial's identity: it must be that of the tokens, not of the header only.
    base::Faults faults_of_input(const data::TokenFile& tokens) {
        constexpr double takes_seconds = 4e9;  // bytes, of which 1 to 2e9 are hashed a second
        const auto size = static_cast<double>(std::filesystem::file_size(study_.job.token_file));
        if (size > takes_seconds) words_.verifies_tokens(size);
        if (const auto sound = tokens.verify(); !sound) return sound.error();
        return request_.check ? request_.check(tokens) : base::Faults();
    }

    /// No run folder, or one with nothing in it but the states that the job keeps.
    bool nothing_to_merge() const {
        return !std::filesystem::exists(folder_.root) ||
               (study_.job.keep_trunks && holds_only_states(folder_.root, folder_.checkpoints));
    }

    /// Nobody goes on from what such an end leaves behind.
    static bool is_over(int code) { return code == exit_done || code == exit_bad_input; }

    int run_locked(const data::TokenFile& tokens) {
        auto lock = Lock::take(folder_.lock);
        if (!lock) return refuse(lock.error());
        // Only who has the lock touches these: to another run they may be empty, and in use.
        const auto folders = {folder_.trials, folder_.checkpoints, folder_.attempts};
        for (const auto& folder : folders)
            files::make_folders(folder);
        const int code = run_with(*lock, tokens);
        for (const auto& folder : folders)
            if (is_over(code)) files::remove_empty_folder(folder);
        return code;
    }

    int run_with(const Lock& lock, const data::TokenFile& tokens) {
        if (lock.predecessor()) words_.takes_over_from(*lock.predecessor());
        const archive::Writer writer{.tag = archive::writer_tag(),
                                     .still_holder = [&] { return lock.held(); }};
        auto found = look(archive::WeightsUse::check);  // again, now that nobody else can change it
        if (!found) return refuse(found.error());
        archive::remove_unfinished(request_.archive);
        archive::remove_temporaries(folder_.checkpoints);

        words_.not_used(found->rejected);
        note_disappeared(folder_.attempts, CheckpointListing(folder_.checkpoints).steps());
        const LeftToDo left = left_to_do(*found, study_, request_.archive, workers(), request_.retry);
        // With the lock, whose heartbeat says that somebody is at it: this may take long.
        if (!left.trials.empty())
            if (const base::Faults faults = faults_of_input(tokens); !faults.empty()) return refuse(faults);
        // The input is good. A disk that refuses to say so is passed over.
        std::ofstream(folder_.accepted) << archive::provenance_here().slurm_job << "\n";

        note_decisions(left, writer);
        Sweep sweep(study_, left.trials, static_cast<int>(trials() - left.trials.size()), workers(),
                    left.history, request_.card_plan);
        sweep.failed_before(left.failed);
        std::string cut_short;
        if (!left.trials.empty()) {
            note_study(writer);
            words_.begins(left, session_.size());
            cut_short = train_sweep(sweep, left.trials,
                                    {request_, tokens, session_, signals_, lock, writer, console_});
            stopped_ = sweep.stopped();
        }
        return conclude(sweep, cut_short, request_, lock, writer, words_);
    }

    /// Which trials are tried again, and which no more.
    void note_decisions(const LeftToDo& left, const archive::Writer& writer) const {
        for (const int trial : left.retried)
            note_retried(folder_.attempts, study_.grid.trials[static_cast<std::size_t>(trial)]);
        forget_wish(left.retried);
        for (const archive::TrialRecord& record : left.aside)
            archive::write_trial_file(folder_.trials, record, writer);
    }

    /// For fits before the end. Trials are worth more than that: they are trained where a disk refuses it.
    void note_study(const archive::Writer& writer) {
        try {
            archive::write_study_file(request_.archive, study_, writer);
        } catch (const std::exception& error) {
            words_.study_not_noted(error.what());
        }
    }

    /// slurm/sweep asks at every start, until a disk has taken the notes of all that it has asked for. What
    /// another job has wished since this start was launched is not among it.
    void forget_wish(const std::vector<int>& retried) const {
        const bool noted = std::all_of(retried.begin(), retried.end(), [&](int trial) {
            return read_attempts(folder_.attempts, study_.grid.trials[static_cast<std::size_t>(trial)])
                .retried;
        });
        const char* asked = std::getenv("ISOGRID_WISHES");  // files in folder_.retry, separated by spaces
        if (!noted || request_.retry.empty() || asked == nullptr) return;
        std::istringstream wishes(asked);
        std::error_code none_there;
        for (std::string wish; wishes >> wish;)
            std::filesystem::remove(folder_.retry / std::filesystem::path(wish).filename(), none_there);
        files::remove_empty_folder(folder_.retry);
    }

    const RunRequest& request_;
    const study::Study& study_;
    const MpiSession& session_;
    const StopSignals& signals_;
    archive::RunFolder folder_;
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
