#include "archive/run_folder.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "archive/segment.hpp"
#include "archive/stored_weights.hpp"
#include "archive/trial_file.hpp"
#include "files/durable.hpp"
#include "study/branches.hpp"

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

study::Result<void> take_from_archive(const Path& path, const study::Grid& grid, const Places& places,
                                      Found& found) {
    if (!path.has_filename())  // an unset variable of a script: told now, not when all is trained
        return study::fail(path.empty() ? "--archive" : path.string(), "names no file",
                           path.empty() ? "it is empty" : "it ends with a slash",
                           "write for example results/study.h5");
    if (!std::filesystem::exists(path)) return {};
    auto archive = read_archive(path, /*keep_weights=*/false);
    if (!archive) return tl::unexpected(archive.error());
    for (TrialRecord& record : archive->trials) {
        const auto place = places.find(study::identity(record.planned.trial));
        if (place == places.end() && study::is_beginning_of_one(record.planned.trial, grid.trials)) continue;
        if (place == places.end())
            return study::fail(path.string(), "holds trials that are not in this study",
                               "one is " + record.planned.name,
                               "name another archive; this one is left as it is");
        consider(found, place->second, adopt(std::move(record), path, grid, place->second));
    }
    return {};
}

/// Where the archive is a link, an earlier isogrid kept its trials beside the link: they must not be trained
/// anew without a word.
study::Result<void> look_beside_link(const Path& archive) {
    const Path beside = archive.string() + ".d", folder = run_folder(archive);
    std::error_code absent;
    if (!std::filesystem::is_symlink(archive, absent) || !std::filesystem::is_directory(beside, absent) ||
        std::filesystem::is_empty(beside, absent) || std::filesystem::equivalent(beside, folder, absent))
        return {};
    return study::fail(
        beside.string(), "is not the run folder of " + archive.string(),
        "that is a link, and trials, checkpoints and lock are beside the file that it leads to, "
        "in " +
            folder.string(),
        "move what is in the former into the latter when no run works on either, then remove "
        "the former");
}

/// Files in the order of their names; what is being written has another ending.
std::vector<Path> finished_files(const Path& folder) {
    std::vector<Path> files;
    if (!std::filesystem::is_directory(folder)) return files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().extension() == ".h5") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

void take(TrialRecord record, const Path& file, const study::Grid& grid, const Places& places, Found& found) {
    const auto place = places.find(study::identity(record.planned.trial));
    if (place == places.end() && study::is_beginning_of_one(record.planned.trial, grid.trials)) return;
    if (place == places.end())
        found.foreign.push_back({file.string(), "is of a trial that is not in this study",
                                 "it is " + record.planned.name,
                                 "choose another --archive, or go back to the job file of this run folder"});
    else
        consider(found, place->second, adopt(std::move(record), file, grid, place->second));
}

void reject(Found& found, const study::Faults& faults) {
    found.rejected.insert(found.rejected.end(), faults.begin(), faults.end());
}

void take_from_segments(const Path& folder, const study::Grid& grid, const Places& places, Found& found) {
    for (const Path& file : finished_files(folder)) {
        SegmentContent content = read_segment(file);
        reject(found, content.faults);
        for (TrialRecord& record : content.records)
            take(std::move(record), file, grid, places, found);
    }
}

void take_from_trial_files(const Path& folder, const study::Grid& grid, const Places& places, Found& found) {
    for (const Path& file : finished_files(folder)) {
        auto record = read_trial_file(file, /*keep_weights=*/false);
        if (record)
            take(std::move(*record), file, grid, places, found);
        else
            reject(found, record.error());
    }
}

/// Weights of found records, from whichever files have them. What was opened stays open, some files at a
/// time.
class WeightsOfFiles {
  public:
    std::vector<float> read(const Path& file, const study::Trial& trial) {
        constexpr std::size_t most_open = 64;
        auto open = open_.find(file);
        if (open == open_.end()) {
            if (open_.size() >= most_open) open_.clear();
            auto weights = open_weights(file);
            if (!weights) throw std::runtime_error(study::to_string(weights.error()));
            open = open_.emplace(file, std::move(*weights)).first;
        }
        auto weights = open->second.read(study::identity(trial));
        if (!weights) throw std::runtime_error(study::to_string(weights.error()));
        return std::move(*weights);
    }

  private:
    std::map<Path, StoredWeights> open_;
};

/// True when the file at `path` holds this study and exactly these results.
bool says_the_same(const Path& path, const Archive& merged, const std::string& digest) {
    if (!std::filesystem::exists(path)) return false;
    const auto there = read_archive(path, /*keep_weights=*/false);
    return there && there->study_name == merged.study_name && there->job_text == merged.job_text &&
           there->digest == digest;
}

}  // namespace

Path run_folder(const Path& archive) {
    return files::behind_links(archive).string() + ".d";
}

Path trials_folder(const Path& archive) {
    return run_folder(archive) / "trials";
}

Path segments_folder(const Path& archive) {
    return run_folder(archive) / "segments";
}

Path study_file(const Path& archive) {
    return run_folder(archive) / "study";
}

study::Result<Found> find_trials(const Path& archive, const study::Grid& grid) {
    if (const auto looked = look_beside_link(archive); !looked) return tl::unexpected(looked.error());
    const Places places = places_of(grid);
    Found found;
    found.trials.resize(grid.trials.size());
    if (const auto taken = take_from_archive(archive, grid, places, found); !taken)
        return tl::unexpected(taken.error());
    take_from_segments(segments_folder(archive), grid, places, found);
    take_from_trial_files(trials_folder(archive), grid, places, found);
    return found;
}

std::size_t pack_trial_files(const Path& archive, const Writer& writer, std::size_t least) {
    std::vector<TrialRecord> records;
    std::map<std::string, Path> files;  // by identity
    for (const Path& file : finished_files(trials_folder(archive))) {
        if (std::filesystem::file_size(file) > largest_packed) continue;
        auto record = read_trial_file(file, /*keep_weights=*/false);
        if (!record || !is_finished(record->result.outcome)) continue;
        if (files.emplace(study::identity(record->planned.trial), file).second)
            records.push_back(std::move(*record));
    }
    if (records.size() < std::max<std::size_t>(1, least)) return 0;

    files::make_folders(segments_folder(archive));
    WeightsOfFiles weights;
    const auto segment = write_segment(
        segments_folder(archive), records,
        [&](const TrialRecord& record) {
            const study::Trial& trial = record.planned.trial;
            return weights.read(files.at(study::identity(trial)), trial);
        },
        writer);
    if (!segment) return 0;

    std::size_t packed = 0;
    for (const TrialRecord& record : read_segment(*segment).records) {
        if (writer.still_holder && !writer.still_holder()) break;
        std::filesystem::remove(files.at(study::identity(record.planned.trial)));
        ++packed;
    }
    return packed;
}

void remove_unfinished(const Path& archive) {
    const Path place = files::behind_links(archive);
    remove_temporaries(place.parent_path(), place.filename().string());
    remove_temporaries(trials_folder(archive));
    remove_temporaries(segments_folder(archive));
    remove_temporaries(run_folder(archive), study_file(archive).filename().string());
}

void remove_merged(const Path& archive, const study::Faults& rejected) {
    std::set<std::string> kept;
    for (const study::Fault& fault : rejected)
        kept.insert(fault.where);
    std::error_code absent_or_not_empty;
    for (const Path& folder : {trials_folder(archive), segments_folder(archive)}) {
        if (!std::filesystem::is_directory(folder)) continue;
        std::vector<Path> merged;
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            if (!kept.contains(entry.path().string())) merged.push_back(entry.path());
        for (const Path& file : merged)
            std::filesystem::remove(file, absent_or_not_empty);
        std::filesystem::remove(folder, absent_or_not_empty);
    }
}

std::vector<std::size_t> remaining(const Found& found) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < found.trials.size(); ++i)
        if (!found.trials[i] || !is_finished(found.trials[i]->record.result.outcome)) places.push_back(i);
    return places;
}

study::Result<Merged> merge(const Path& archive, const study::Study& study, const Writer& writer,
                            const Facts& libraries, std::size_t least) {
    auto found = find_trials(archive, study.grid);
    if (!found) return tl::unexpected(found.error());

    Archive merged = archive_without_trials(study);
    merged.build.insert(merged.build.end(), libraries.begin(), libraries.end());
    for (const auto& trial : found->trials)
        if (trial) merged.trials.push_back(trial->record);

    Merged report{.digest = archive_digest(merged.trials), .rejected = std::move(found->rejected)};
    report.rejected.insert(report.rejected.end(), found->foreign.begin(), found->foreign.end());
    report.missing = least - std::min(least, merged.trials.size());
    if (report.missing > 0 || says_the_same(archive, merged, report.digest)) return report;
    WeightsOfFiles weights;
    report.written = write_archive(archive, merged, writer, [&](const TrialRecord& record) {
        return weights.read(found->trials[static_cast<std::size_t>(record.index)]->file,
                            record.planned.trial);
    });
    return report;
}

}  // namespace isogrid::archive
