// What a sweep that has not ended has finished so far, for readers who do not want to wait for the archive.
//
// Reading takes no lock, writes nothing and may happen beside the sweep at work.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>

#include "archive/archive.hpp"
#include "archive/durable_file.hpp"
#include "base/fault.hpp"
#include "study/study.hpp"

namespace isogrid::archive {

/// Writes RunFolder::study: an archive without trials, which says how many there will be. Each start does,
/// as a study may have grown since the one before. False when the lease is lost; throws what write_archive
/// throws.
bool write_study_file(const std::filesystem::path& archive, const study::Study& study, const Writer& writer);

struct SoFar {
    /// Of the trials that were found, its digest theirs; their order is the archive's to be.
    Archive archive;
    /// False: an earlier version left no study file, and text, corpus and convention are not known.
    bool knows_study = false;
    std::size_t planned = 0;                          ///< trials of the whole study; 0 when not known
    std::map<double, std::size_t> planned_of_budget;  ///< the same of each isoFLOP budget
    base::Faults rejected;                            ///< files not used, and why
};

/// Every trial of the run folder, finished or not, once, as find_trials chooses among several records of one;
/// of weights no digest is computed. Nothing where the archive is written, or there is no run folder. A fault
/// where the folder cannot be read.
base::Result<std::optional<SoFar>> read_so_far(const std::filesystem::path& archive);

/// How many finished trials lie beside a written archive that are not in it: a run is to add them. What
/// cannot be read counts for nothing.
std::size_t results_not_in(const Archive& content, const std::filesystem::path& archive);

}  // namespace isogrid::archive
