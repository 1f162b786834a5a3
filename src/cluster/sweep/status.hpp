// How an archive's sweep stands, seen from outside: from a login node, without touching the job.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/fault.hpp"
#include "cluster/folder/lock.hpp"
#include "cluster/sweep/progress_file.hpp"

namespace isogrid::cluster {

enum class Stage {
    absent,   ///< neither an archive nor a run folder
    running,  ///< a live run holds the lock
    stopped,  ///< a run folder, but nobody alive works on it
    finished  ///< the archive is there, and no run that was to add to it
};
std::string_view name(Stage stage);

struct Status {
    std::filesystem::path archive;
    Stage stage = Stage::absent;
    bool archived = false;                 ///< there is an archive, whoever works on it
    double now = 0;                        ///< seconds since 1970, when the status was read
    std::optional<Holder> holder;          ///< whom the lock names, alive or not
    std::optional<ProgressFile> progress;  ///< of a run folder
    std::string digest;                    ///< of an archive that nobody works on; empty where there is none
    SweepState finished;                   ///< of the same: its trials, diverged and failed ones
};

/// Reads lock, progress.json or archive; changes nothing. Fails when the archive cannot be read.
base::Result<Status> read_status(const std::filesystem::path& archive);

/// For people: some lines, each of one fact.
std::string status_text(const Status& status);

/// {"schema":"isogrid-status/1", "archive", "stage", "holder", "sweep", "remaining_rank_hours", "digest"};
/// what does not apply is null.
std::string status_json(const Status& status);

}  // namespace isogrid::cluster
