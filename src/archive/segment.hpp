// Many finished trials in one file: a folder of 100,000 small files is slow on every parallel file system.
//
// A segment holds the tables of as many trial files, and replaces them: written, fsynced and read again
// before they are removed. A crash in between leaves a trial in both, which is the same trial twice.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "archive/archive.hpp"
#include "archive/durable_file.hpp"
#include "archive/record.hpp"
#include "study/fault.hpp"

namespace isogrid::archive {

/// Trial files wait until there are so many.
inline constexpr std::size_t trials_a_segment = 256;

/// Writes `segment-DIGEST.h5` into `folder`, which exists; each trial is there once. The path, or nothing
/// when the writer no longer holds the lease. Throws what write_archive throws.
std::optional<std::filesystem::path> write_segment(const std::filesystem::path& folder,
                                                   const std::vector<TrialRecord>& records,
                                                   const ReadWeights& read_weights, const Writer& writer);

/// The records of a segment that are what was written, without their weights, and all that speaks against the
/// others. Every digest is computed, those of weights too.
struct SegmentContent {
    std::vector<TrialRecord> records;
    study::Faults faults;
};
SegmentContent read_segment(const std::filesystem::path& path);

}  // namespace isogrid::archive
