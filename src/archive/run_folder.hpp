// The folder beside an archive in which a sweep keeps its results until they are merged: where what lies in
// it, and what may be removed from it.
#pragma once

#include <filesystem>
#include <vector>

#include "base/fault.hpp"

namespace isogrid::archive {

/// `OUT.h5.d` of the archive `OUT.h5`, and every path in it. That of the file behind a link, so that two
/// names of one archive have one lock.
struct RunFolder {
    explicit RunFolder(const std::filesystem::path& archive);

    std::filesystem::path root;
    std::filesystem::path trials = root / "trials";      ///< a file a trial (archive/trial_file)
    std::filesystem::path segments = root / "segments";  ///< trial files packed together (archive/segment)
    std::filesystem::path study = root / "study";        ///< what the archive will say of it (archive/so_far)
    std::filesystem::path checkpoints = root / "checkpoints";  ///< cluster/folder/checkpoints
    std::filesystem::path attempts = root / "attempts";        ///< cluster/folder/attempts
    std::filesystem::path progress = root / "progress.json";   ///< cluster/sweep/progress_file
    std::filesystem::path lock = root / "lock";                ///< cluster/folder/lock
    std::filesystem::path unfit = root / "unfit";              ///< cluster/folder/unfit_host

    // Between a start and slurm/sweep, which starts it.
    std::filesystem::path retry = root / "retry";  ///< what to try again, a file a job, until it is noted
    std::filesystem::path wished_by = root / "retry.job";  ///< jobs whose wishes have been noted there
    std::filesystem::path failures = root / "failures";    ///< starts without success
    std::filesystem::path accepted = root / "accepted";    ///< the job of the last start with good input
};

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
