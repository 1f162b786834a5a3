#include "cluster/sweep/left_to_do.hpp"

#include <algorithm>
#include <bit>

#include "archive/provenance.hpp"
#include "archive/trial_file.hpp"
#include "cluster/folder/checkpoints.hpp"

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
    record.result = std::move(result);
    return record;
}

}  // namespace

LeftToDo left_to_do(const archive::Found& found, const study::Study& study,
                    const std::filesystem::path& archive, const RunFolder& folder, int workers,
                    const std::set<archive::Outcome>& retry) {
    LeftToDo left;
    const auto steps = newest_checkpoints(folder.checkpoints);
    for (const std::size_t place : archive::remaining(found)) {
        const study::PlannedTrial& planned = study.grid.trials[place];
        const auto& record = found.trials[place];
        const bool retried = record && retry.contains(record->record.result.outcome);
        if (retried) {
            left.retried.push_back(static_cast<int>(place));
        } else if (record && record->file == archive) {
            left.failed.push_back(failed_trial(record->record));
            continue;
        }
        const Attempts attempts = retried ? Attempts() : read_attempts(folder.attempts, planned);
        if (auto result = set_aside(attempts, most_ranks(planned.trial, workers))) {
            left.failed.push_back({planned.name, std::string(archive::name(result->outcome)), result->cause});
            if (!record) left.aside.push_back(record_of(study, place, std::move(*result)));
            continue;
        }
        const int trial = static_cast<int>(place);
        left.trials.push_back(trial);
        left.history.attempts[trial] = attempts;
        if (const auto newest = steps.find(archive::trial_file_stem(planned)); newest != steps.end())
            left.history.steps_before[trial] = newest->second;
        const auto states = shared_states(folder.checkpoints, planned.trial);
        if (states.empty()) continue;
        std::int64_t& before = left.history.steps_before[trial];
        if (states.front().file.step <= before) continue;
        before = states.front().file.step;
        ++left.from_states;
    }
    return left;
}

}  // namespace isogrid::cluster
