// One file a trial, put in place when the trial ends: whatever happens to the job, its finished trials stay.
#pragma once

#include <filesystem>
#include <optional>

#include "archive/durable_file.hpp"
#include "archive/record.hpp"
#include "archive/weights_use.hpp"
#include "base/fault.hpp"

namespace isogrid::archive {

/// `b3-w64-d4-0123456789ab`: how the names of a trial's files begin.
std::string trial_file_stem(const study::PlannedTrial& planned);

/// `b3-w64-d4-0123456789ab.h5`: name and the beginning of the trial's identity. What is not finished goes
/// under a name of its own, `b3-w64-d4-0123456789ab.failed.h5`, and so never replaces a result.
std::string trial_file_name(const TrialRecord& record);

/// Writes one record into `folder`, which exists (write_durably says how, and what it throws). The path, or
/// nothing when the writer no longer holds the lease. Writing an equal record again changes nothing but the
/// provenance.
std::optional<std::filesystem::path> write_trial_file(const std::filesystem::path& folder,
                                                      const TrialRecord& record, const Writer& writer);

/// Reads a trial file and checks all of it before anything is handed out, but weights that are skipped. The
/// fault names what is wrong: missing, not HDF5, truncated, damaged, not of isogrid, of a newer schema, a
/// wrong digest.
base::Result<TrialRecord> read_trial_file(const std::filesystem::path& path, WeightsUse weights);

}  // namespace isogrid::archive
