#include "cluster/run/conclude.hpp"

#include <cstddef>
#include <filesystem>
#include <system_error>

#include "archive/merge.hpp"
#include "archive/run_folder.hpp"
#include "archive/trial_file.hpp"
#include "archive/verify.hpp"
#include "cluster/folder/attempts.hpp"
#include "cluster/folder/trunk_states.hpp"
#include "cluster/site/clocks.hpp"
#include "cluster/sweep/account.hpp"
#include "cluster/sweep/progress_file.hpp"
#include "program/ending.hpp"

namespace isogrid::cluster {

using program::exit_done, program::exit_other, program::exit_interrupted, program::refuse;

namespace {

/// Everything in the run folder is in the archive now, but for what could not be used, and the states that
/// the job keeps.
void tidy_up(const RunRequest& request, const base::Faults& rejected, const Lock& lock) {
    const archive::RunFolder folder(request.archive);
    archive::remove_merged(request.archive, rejected);
    remove_progress_file(folder.progress);
    clean_checkpoints(folder.checkpoints, request.study.job.keep_trunks);
    std::error_code not_empty;
    std::filesystem::remove(folder.study, not_empty);
    std::filesystem::remove_all(folder.attempts, not_empty);
    std::filesystem::remove_all(folder.unfit, not_empty);
    for (const auto& file : {folder.accepted, folder.failures})
        std::filesystem::remove(file, not_empty);
    // Who wished for something that nobody has heard yet is asked again.
    if (!std::filesystem::exists(folder.retry, not_empty))
        std::filesystem::remove(folder.wished_by, not_empty);
    remove_left_behind(lock);
}

int merge(const Sweep& sweep, const RunRequest& request, const Lock& lock, const archive::Writer& writer,
          RunWords& words) {
    const auto merged = archive::merge(request.archive, request.study, writer,
                                       with_account(request.libraries, sweep.account()),
                                       /*least=*/request.study.grid.trials.size());
    if (!merged) return refuse(merged.error());
    if (merged->missing > 0) {
        words.gone(merged->missing);
        return exit_interrupted;
    }
    if (!writer.still_holder()) {
        words.taken_over();
        return exit_other;
    }
    if (!merged->in_place) {
        words.not_in_place();
        return exit_other;
    }
    const archive::VerifyReport report = archive::verify_archive(request.archive);
    if (!report.good()) {
        words.damaged(report.faults);
        return exit_other;
    }
    if (!lock.held()) {  // reading it all may have taken longer than a lock lives
        words.taken_over();
        return exit_other;
    }
    tidy_up(request, merged->rejected, lock);
    words.done(sweep.state(steady_seconds()), report.digest);
    return exit_done;
}

/// That these trials failed here: no record and no note of it stays, so that nothing is held against them,
/// and slurm/sweep sees that nothing has got on.
void forget(const std::vector<int>& trials, const Sweep& sweep, const archive::RunFolder& folder) {
    std::error_code absent;
    for (const int trial : trials) {
        archive::TrialRecord record;
        record.planned = sweep.planned(trial);
        record.result.outcome = archive::Outcome::failed;
        std::filesystem::remove(folder.trials / archive::trial_file_name(record), absent);
        pardon_failures(folder.attempts, record.planned);
    }
}

}  // namespace

int conclude(const Sweep& sweep, const std::string& cut_short, const RunRequest& request, const Lock& lock,
             const archive::Writer& writer, RunWords& words) {
    if (!lock.held()) {
        words.taken_over();
        return exit_other;
    }
    if (!sweep.store_faults().empty()) {
        words.not_stored(sweep.store_faults());
        return exit_other;
    }
    if (sweep.place_is_bad()) {
        forget(sweep.given_up(), sweep, archive::RunFolder(request.archive));
        words.place_at_fault(sweep);
        return exit_other;
    }
    const SweepState state = sweep.state(steady_seconds());
    if (static_cast<std::size_t>(state.done) < request.study.grid.trials.size()) {
        words.interrupted(state, cut_short);
        return exit_interrupted;
    }
    return merge(sweep, request, lock, writer, words);
}

}  // namespace isogrid::cluster
