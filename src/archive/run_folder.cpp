#include "archive/run_folder.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "archive/trial_file.hpp"

namespace isogrid::archive {

namespace {

using Path = std::filesystem::path;

/// Places in the grid by identity.
using Places = std::map<std::string, std::size_t>;

Places places_of(const study::Grid& grid) {
    Places places;
    for (std::size_t i = 0; i < grid.trials.size(); ++i)
        places.emplace(study::identity(grid.trials[i].trial), i);
    return places;
}

/// A trial may have been run for an earlier form of the study, under another name: it is the same trial.
FoundRecord adopt(TrialRecord record, const Path& file, const study::Grid& grid, std::size_t place) {
    record.planned = grid.trials[place];
    record.index = static_cast<std::int64_t>(place);
    return {std::move(record), file};
}

/// True when `candidate` should stand in the place of what was found before.
bool is_better(const TrialRecord& candidate, const TrialRecord& before) {
    const bool finished = is_finished(candidate.result.outcome), was = is_finished(before.result.outcome);
    if (finished != was) return finished;
    return !finished && candidate.provenance.started_unix > before.provenance.started_unix;
}

void consider(Found& found, std::size_t place, FoundRecord candidate) {
    std::optional<FoundRecord>& before = found.trials[place];
    if (before && is_finished(before->record.result.outcome) &&
        is_finished(candidate.record.result.outcome) && digest(before->record) != digest(candidate.record))
        found.rejected.push_back({candidate.file.string(), "differs from another result of the same trial",
                                  before->file.string() + " has another digest and is used",
                                  "a trial's result should not depend on where it ran; compare the two"});
    if (!before || is_better(candidate.record, before->record)) before = std::move(candidate);
}

study::Result<void> take_from_archive(const Path& path, const study::Grid& grid, const Places& places,
                                      Found& found) {
    if (!std::filesystem::exists(path)) return {};
    auto archive = read_archive(path, /*keep_weights=*/false);
    if (!archive) return tl::unexpected(archive.error());
    for (TrialRecord& record : archive->trials) {
        const auto place = places.find(study::identity(record.planned.trial));
        if (place == places.end())
            return study::fail(path.string(), "holds trials that are not in this study",
                               "one is " + record.planned.name,
                               "name another archive; this one is left as it is");
        consider(found, place->second, adopt(std::move(record), path, grid, place->second));
    }
    return {};
}

/// Trial files in the order of their names; what is being written has another ending.
std::vector<Path> trial_files(const Path& folder) {
    std::vector<Path> files;
    if (!std::filesystem::is_directory(folder)) return files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().extension() == ".h5") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

void take_from_trial_files(const Path& folder, const study::Grid& grid, const Places& places, Found& found) {
    for (const Path& file : trial_files(folder)) {
        auto record = read_trial_file(file, /*keep_weights=*/false);
        if (!record) {
            found.rejected.insert(found.rejected.end(), record.error().begin(), record.error().end());
            continue;
        }
        const auto place = places.find(study::identity(record->planned.trial));
        if (place == places.end())
            found.rejected.push_back({file.string(), "is of a trial that is not in this study",
                                      "it is " + record->planned.name, "it is left as it is"});
        else
            consider(found, place->second, adopt(std::move(*record), file, grid, place->second));
    }
}

std::vector<float> fetch_weights(const FoundRecord& found, const Path& archive) {
    if (found.file == archive) {
        auto weights = read_weights_of(archive, study::identity(found.record.planned.trial));
        if (!weights) throw std::runtime_error(study::to_string(weights.error()));
        return std::move(*weights);
    }
    auto record = read_trial_file(found.file, /*keep_weights=*/true);
    if (!record) throw std::runtime_error(study::to_string(record.error()));
    return std::move(record->result.weights);
}

/// True when the file at `path` holds this study and exactly these results.
bool says_the_same(const Path& path, const Archive& merged) {
    if (!std::filesystem::exists(path)) return false;
    const auto there = read_archive(path, /*keep_weights=*/false);
    return there && there->study_name == merged.study_name && there->job_text == merged.job_text &&
           archive_digest(there->trials) == archive_digest(merged.trials);
}

}  // namespace

Path run_folder(const Path& archive) {
    return archive.string() + ".d";
}

Path trials_folder(const Path& archive) {
    return run_folder(archive) / "trials";
}

study::Result<Found> find_trials(const Path& archive, const study::Grid& grid) {
    const Places places = places_of(grid);
    Found found;
    found.trials.resize(grid.trials.size());
    if (const auto taken = take_from_archive(archive, grid, places, found); !taken)
        return tl::unexpected(taken.error());
    take_from_trial_files(trials_folder(archive), grid, places, found);
    return found;
}

std::vector<std::size_t> remaining(const Found& found) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < found.trials.size(); ++i)
        if (!found.trials[i] || !is_finished(found.trials[i]->record.result.outcome)) places.push_back(i);
    return places;
}

study::Result<Merged> merge(const Path& archive, const study::Study& study, const Writer& writer,
                            const Facts& libraries) {
    auto found = find_trials(archive, study.grid);
    if (!found) return tl::unexpected(found.error());

    Archive merged{.study_name = study.job.name,
                   .job_text = study.job.text,
                   .corpus = study.corpus,
                   .budget_convention = study.job.isoflop.convention,
                   .trials = {},
                   .build = build_facts()};
    merged.build.insert(merged.build.end(), libraries.begin(), libraries.end());
    for (const auto& trial : found->trials)
        if (trial) merged.trials.push_back(trial->record);

    Merged report{archive_digest(merged.trials), false, std::move(found->rejected)};
    if (says_the_same(archive, merged)) return report;
    report.written = write_archive(archive, merged, writer, [&](const TrialRecord& record) {
        return fetch_weights(*found->trials[static_cast<std::size_t>(record.index)], archive);
    });
    return report;
}

}  // namespace isogrid::archive
