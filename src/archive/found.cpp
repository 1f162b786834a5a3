#include "archive/found.hpp"

#include <utility>

namespace isogrid::archive {

namespace {

/// True when `candidate` should stand in the place of what was found before.
bool is_better(const TrialRecord& candidate, const TrialRecord& before) {
    const bool finished = is_finished(candidate.result.outcome), was = is_finished(before.result.outcome);
    if (finished != was) return finished;
    return !finished && candidate.provenance.started_unix > before.provenance.started_unix;
}

}  // namespace

void consider(Found& found, std::size_t place, FoundRecord candidate) {
    std::optional<FoundRecord>& before = found.trials[place];
    if (before && is_finished(before->record.result.outcome) &&
        is_finished(candidate.record.result.outcome) && digest(before->record) != digest(candidate.record))
        found.rejected.push_back({candidate.file.string(), "differs from another result of the same trial",
                                  before->file.string() + " has another digest and is used",
                                  "a trial's result should not depend on where it ran; compare the two"});
    if (!before || is_better(candidate.record, before->record)) before = std::move(candidate);
}

std::vector<std::size_t> remaining(const Found& found) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < found.trials.size(); ++i)
        if (!found.trials[i] || !is_finished(found.trials[i]->record.result.outcome)) places.push_back(i);
    return places;
}

std::set<std::string> trained_with(const Found& found) {
    std::set<std::string> words;
    for (const std::optional<FoundRecord>& trial : found.trials)
        if (trial && is_finished(trial->record.result.outcome))
            words.insert(trial->record.provenance.instruction_set);
    return words;
}

}  // namespace isogrid::archive
