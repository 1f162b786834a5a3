#include "archive/find_trials.hpp"

#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "archive/archive.hpp"
#include "archive/run_folder.hpp"
#include "archive/segment.hpp"
#include "archive/trial_file.hpp"
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

/// A trial outside the grid. Another numerics version makes all trials of a study others.
std::string foreign_trial(const study::PlannedTrial& planned) {
    const int numerics = planned.trial.numerics;
    return planned.name +
           (numerics == study::numerics_version
                ? ""
                : ", of numerics version " + std::to_string(numerics) +
                      ", and this isogrid trains those of " + std::to_string(study::numerics_version));
}

base::Result<void> take_from_archive(const Path& path, const study::Grid& grid, const Places& places,
                                     Found& found) {
    if (!path.has_filename())  // an unset variable of a script: told now, not when all is trained
        return base::fail(path.empty() ? "--archive" : path.string(), "names no file",
                          path.empty() ? "it is empty" : "it ends with a slash",
                          "write for example results/study.h5");
    if (!std::filesystem::exists(path)) return {};
    auto archive = read_archive(path);
    if (!archive) return tl::unexpected(archive.error());
    for (TrialRecord& record : archive->trials) {
        const auto place = places.find(study::identity(record.planned.trial));
        if (place == places.end() && study::is_beginning_of_one(record.planned.trial, grid.trials)) continue;
        if (place == places.end())
            return base::fail(path.string(), "holds trials that are not in this study",
                              "one is " + foreign_trial(record.planned),
                              "name another archive; this one is left as it is");
        consider(found, place->second, adopt(std::move(record), path, grid, place->second));
    }
    return {};
}

/// Where the archive is a link, an earlier isogrid kept its trials beside the link: they must not be trained
/// anew without a word.
base::Result<void> look_beside_link(const Path& archive) {
    const Path beside = archive.string() + ".d", folder = RunFolder(archive).root;
    std::error_code absent;
    if (!std::filesystem::is_symlink(archive, absent) || !std::filesystem::is_directory(beside, absent) ||
        std::filesystem::is_empty(beside, absent) || std::filesystem::equivalent(beside, folder, absent))
        return {};
    return base::fail(
        beside.string(), "is not the run folder of " + archive.string(),
        "that is a link, and trials, checkpoints and lock are beside the file that it leads to, "
        "in " +
            folder.string(),
        "move what is in the former into the latter when no run works on either, then remove "
        "the former");
}

void take(TrialRecord record, const Path& file, const study::Grid& grid, const Places& places, Found& found) {
    const auto place = places.find(study::identity(record.planned.trial));
    if (place == places.end() && study::is_beginning_of_one(record.planned.trial, grid.trials)) return;
    if (place == places.end())
        found.foreign.push_back({file.string(), "is of a trial that is not in this study",
                                 "it is " + foreign_trial(record.planned),
                                 "choose another --archive, or go back to the job file of this run folder"});
    else
        consider(found, place->second, adopt(std::move(record), file, grid, place->second));
}

void reject(Found& found, const base::Faults& faults) {
    found.rejected.insert(found.rejected.end(), faults.begin(), faults.end());
}

/// None where something else has the folder's name: packing tells of that, and trial files serve as well. A
/// listing that fails is no fault of the input, and another start may succeed.
std::vector<Path> files_in(const Path& folder) {
    if (!std::filesystem::is_directory(folder)) return {};
    auto files = finished_files(folder);
    if (!files) throw std::runtime_error(base::to_string(files.error().front()));
    return *std::move(files);
}

void take_from_segments(const Path& folder, const study::Grid& grid, const Places& places, WeightsUse weights,
                        Found& found) {
    for (const Path& file : files_in(folder)) {
        SegmentContent content = read_segment(file, weights);
        reject(found, content.faults);
        for (TrialRecord& record : content.records)
            take(std::move(record), file, grid, places, found);
    }
}

void take_from_trial_files(const Path& folder, const study::Grid& grid, const Places& places,
                           WeightsUse weights, Found& found) {
    for (const Path& file : files_in(folder)) {
        auto record = read_trial_file(file, weights);
        if (record)
            take(std::move(*record), file, grid, places, found);
        else
            reject(found, record.error());
    }
}

}  // namespace

base::Result<Found> find_trials(const Path& archive, const study::Grid& grid, WeightsUse weights) {
    if (const auto looked = look_beside_link(archive); !looked) return tl::unexpected(looked.error());
    const Places places = places_of(grid);
    Found found;
    found.trials.resize(grid.trials.size());
    if (const auto taken = take_from_archive(archive, grid, places, found); !taken)
        return tl::unexpected(taken.error());
    const RunFolder folder(archive);
    take_from_segments(folder.segments, grid, places, weights, found);
    take_from_trial_files(folder.trials, grid, places, weights, found);
    return found;
}

}  // namespace isogrid::archive
