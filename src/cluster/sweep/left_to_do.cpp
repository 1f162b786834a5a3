#include "cluster/sweep/left_to_do.hpp"

#include <algorithm>
#include <bit>

#include "archive/provenance.hpp"
#include "archive/run_folder.hpp"
#include "archive/trial_file.hpp"
#include "cluster/folder/checkpoints.hpp"
#include "cluster/site/clocks.hpp"

namespace isogrid::cluster {

namespace {

FailedTrial failed_trial(const archive::TrialRecord& record) {
    return {record.planned.name, std::string(archive::name(record.result.outcome)), record.result.cause};
}

archive::TrialRecord record_of(const study::Study& study, std::size_t place, archive::TrialResult result) {
    archive::TrialRecord record;
    record.planned = study.grid.trials[place];
    record.index = static_cast<std::int64_t>(place);
    record.provenance = archive::provenance_here();
    record.provenance.started_unix = unix_seconds();  // later than any attempt at it
    record.result = std::move(result);
    return record;
}

}  // namespace

LeftToDo left_to_do(const archive::Found& found, const study::Study& study,
                    const std::filesystem::path& archive, int workers,
                    const std::set<archive::Outcome>& retry) {
    LeftToDo left;
    const archive::RunFolder folder(archive);
    const CheckpointListing checkpoints(folder.checkpoints);
    const auto notes = read_all_attempts(folder.attempts);
    for (const std::size_t place : archive::remaining(found)) {
        const study::PlannedTrial& planned = study.grid.trials[place];
        const auto& record = found.trials[place];
        const std::string stem = archive::trial_file_stem(planned);
        const bool retried = record && retry.contains(record->record.result.outcome);
        Attempts attempts;
        if (retried)
            left.retried.push_back(static_cast<int>(place));
        else if (const auto noted = notes.find(stem); noted != notes.end())
            attempts = noted->second;
        if (!retried && !attempts.retried && record && record->file == archive) {
            left.failed.push_back(failed_trial(record->record));
            continue;
        }
        if (auto result = set_aside(attempts, most_ranks(planned.trial, workers))) {
            left.failed.push_back({planned.name, std::string(archive::name(result->outcome)), result->cause});
            // What is recorded may be an attempt before the last.
            const std::string* recorded = record ? &record->record.result.cause : nullptr;
            if (!recorded || (*recorded != result->cause && !is_last_cause(attempts, *recorded)))
                left.aside.push_back(record_of(study, place, std::move(*result)));
            continue;
        }
        const int trial = static_cast<int>(place);
        left.trials.push_back(trial);
        left.history.attempts[trial] = attempts;
        const std::int64_t own = checkpoints.newest(stem);
        const std::int64_t state = checkpoints.latest_state(planned.trial);
        if (own > 0 || state > 0) left.history.steps_before[trial] = std::max(own, state);
        if (state > own) ++left.from_states;
    }
    return left;
}

}  // namespace isogrid::cluster
