// Records of one trial may lie in several places: a segment, a trial file, the archive. Which of them counts.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "archive/record.hpp"
#include "base/fault.hpp"

namespace isogrid::archive {

/// A record of a trial, without its weights, and the file that has them.
struct FoundRecord {
    TrialRecord record;
    std::filesystem::path file;
};

/// What the archive and its trial files hold of a grid.
struct Found {
    std::vector<std::optional<FoundRecord>> trials;  ///< one place a trial of the grid, in its order
    base::Faults rejected;  ///< files not used, and why; they are left where they are
    base::Faults foreign;   ///< files of trials that are not in the grid: the run folder is another study's
};

/// Puts the record into its place unless a better one is there: a finished record beats one that is not;
/// among finished ones the first counts, among others the last started. Two results that differ are reported.
void consider(Found& found, std::size_t place, FoundRecord candidate);

/// Places in the grid of the trials without a finished record, rising. Those that failed, ran out of memory
/// or were interrupted are among them: their records are kept as data and tried again.
std::vector<std::size_t> remaining(const Found& found);

/// What the finished trials were trained with, as their provenance names it: `avx512`, `sm_90x132`.
std::set<std::string> trained_with(const Found& found);

}  // namespace isogrid::archive
