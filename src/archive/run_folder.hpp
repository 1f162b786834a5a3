// The folder beside an archive in which a sweep keeps its results until they are merged: where what lies in
// it, and what may be removed from it.
#pragma once

#include <filesystem>
#include <vector>

#include "base/fault.hpp"

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

/// The trial files or segments in a folder, by name; what is being written has another ending. None where the
/// folder is not there: it comes with the first file, and goes when the archive has them all. A fault where
/// it cannot be read.
base::Result<std::vector<std::filesystem::path>> finished_files(const std::filesystem::path& folder);

/// Removes what writers that were killed have left under temporary names: in the folders of trial files and
/// segments, of the study file, and beside the archive, where each may be as large as that. Nobody else may
/// write there: the caller holds the lease.
void remove_unfinished(const std::filesystem::path& archive);

/// Removes trial files and segments once the archive, merged and verified, has all of them; those that
/// `rejected` names stay, for a person to look at.
void remove_merged(const std::filesystem::path& archive, const base::Faults& rejected);

}  // namespace isogrid::archive
