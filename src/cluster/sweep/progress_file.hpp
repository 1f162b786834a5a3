// progress.json in the run folder: what `isogrid status` reads from another node while a sweep runs.
#pragma once

#include <filesystem>
#include <optional>

#include "cluster/sweep/sweep_state.hpp"

namespace isogrid::cluster {

struct ProgressFile {
    SweepState state;
    double written_unix = 0;  ///< seconds since 1970
};

/// Replaces the file in one move: a reader finds the old one or the new one. A disk that refuses is not worth
/// stopping a sweep for, and is passed over.
void write_progress_file(const std::filesystem::path& file, const ProgressFile& progress);

/// Removes it, and what is left of one whose writer was killed.
void remove_progress_file(const std::filesystem::path& file);

/// Nothing when the file is missing or not one of ours.
std::optional<ProgressFile> read_progress_file(const std::filesystem::path& file);

}  // namespace isogrid::cluster
