// What is there already: the trial files beside an archive, what is left to run, and the merge of the two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "archive/archive.hpp"
#include "archive/found.hpp"
#include "study/fault.hpp"
#include "study/study.hpp"

namespace isogrid::archive {

/// `OUT.h5` -> `OUT.h5.d`: trial files, checkpoints, progress and lock. That of the file behind a link, so
/// that two names of one archive have one lock.
std::filesystem::path run_folder(const std::filesystem::path& archive);

/// `OUT.h5` -> `OUT.h5.d/trials`.
std::filesystem::path trials_folder(const std::filesystem::path& archive);

/// `OUT.h5` -> `OUT.h5.d/segments`: trial files packed together.
std::filesystem::path segments_folder(const std::filesystem::path& archive);

/// `OUT.h5` -> `OUT.h5.d/study`: what the archive will say of the study (archive/so_far).
std::filesystem::path study_file(const std::filesystem::path& archive);

/// Looks for each trial of the grid, by identity, in the archive (if there is one), its segments and its
/// trial files, and checks all it finds, weights outside of the archive included. A finished record beats one
/// that is not; among equals the archive's, then the last started. Files that are damaged are rejected, those
/// of other trials foreign; two results of one trial that differ are reported. Temporary files are passed
/// over, and so is a trial outside the grid that a longer one of the grid begins as (study::beginning): a
/// trunk that has been lengthened. A fault when the archive itself cannot be trusted or holds other trials
/// outside the grid, or has another run folder than it seems, being a link: nothing may then be written.
study::Result<Found> find_trials(const std::filesystem::path& archive, const study::Grid& grid);

/// Places in the grid of the trials without a finished record, rising. Those that failed, ran out of memory
/// or were interrupted are among them: their records are kept as data and tried again.
std::vector<std::size_t> remaining(const Found& found);

struct Merged {
    std::string digest;  ///< of the archive
    bool written = false;
    study::Faults rejected;
    std::size_t missing = 0;  ///< trials fewer than asked for
};

/// Trial files of more bytes stay as they are: whoever packs has nothing else to do meanwhile, and weights of
/// many trials would take minutes.
inline constexpr std::uintmax_t largest_packed = std::uintmax_t{4} << 20;

/// Packs the trial files that hold results into one segment once they are `least` or more, and removes what
/// the segment was seen to hold; how many that were. Nobody else may pack at the same time: the writer holds
/// the lease. Throws what write_archive throws, with nothing removed.
std::size_t pack_trial_files(const std::filesystem::path& archive, const Writer& writer, std::size_t least);

/// Removes what writers that were killed have left under temporary names: in the folders of trial files and
/// segments, of the study file, and beside the archive, where each may be as large as that. Nobody else may
/// write there: the caller holds the lease.
void remove_unfinished(const std::filesystem::path& archive);

/// Removes trial files and segments once the archive, merged and verified, has all of them; those that
/// `rejected` names stay, for a person to look at.
void remove_merged(const std::filesystem::path& archive, const study::Faults& rejected);

/// Merges all that find_trials finds into the archive, in the grid's order. Writes nothing when the archive
/// says the same already, when there are fewer than `least` trials, or when the writer no longer holds the
/// lease. Trial files and segments stay. `libraries` are facts that the caller adds to build_facts(). Throws
/// what write_archive throws.
study::Result<Merged> merge(const std::filesystem::path& archive, const study::Study& study,
                            const Writer& writer, const Facts& libraries = {}, std::size_t least = 0);

}  // namespace isogrid::archive
