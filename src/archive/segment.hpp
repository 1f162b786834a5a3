// Many finished trials in one file: a folder of 100,000 small files is slow on every parallel file system.
//
// A segment holds the tables of as many trial files, and replaces them: written, fsynced and read again
// before they are removed. A crash in between leaves a trial in both, which is the same trial twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "archive/archive.hpp"
#include "archive/durable_file.hpp"
#include "archive/record.hpp"
#include "archive/weights_use.hpp"
#include "base/fault.hpp"

namespace isogrid::archive {

/// Trial files wait until there are so many.
inline constexpr std::size_t trials_a_segment = 256;

/// Writes `segment-DIGEST.h5` into `folder`, which exists; each trial is there once. The path, or nothing
/// when the writer no longer holds the lease. Throws what write_archive throws.
std::optional<std::filesystem::path> write_segment(const std::filesystem::path& folder,
                                                   const std::vector<TrialRecord>& records,
                                                   const ReadWeights& read_weights, const Writer& writer);

/// The records of a segment that are what was written, without their weights, and all that speaks against the
/// others. Every digest is computed, those of weights that are not skipped too.
struct SegmentContent {
    std::vector<TrialRecord> records;
    base::Faults faults;
};
SegmentContent read_segment(const std::filesystem::path& path, WeightsUse weights = WeightsUse::check);

/// Trial files of more bytes stay as they are: whoever packs has nothing else to do meanwhile, and weights of
/// many trials would take minutes.
inline constexpr std::uintmax_t largest_packed = std::uintmax_t{4} << 20;

/// Packs the trial files that hold results into one segment once they are `least` or more, and removes what
/// the segment was seen to hold; how many that were. Nobody else may pack at the same time: the writer holds
/// the lease. Throws what write_archive throws, with nothing removed.
std::size_t pack_trial_files(const std::filesystem::path& archive, const Writer& writer, std::size_t least);

}  // namespace isogrid::archive
