// Checkpoints on disk: one HDF5 file each, of which every part is checked before it is used.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "archive/checkpoint.hpp"
#include "archive/durable_file.hpp"
#include "base/fault.hpp"

namespace isogrid::archive {

/// Writes a checkpoint of `trial`, trained with the arithmetic of `instruction_set`, to `path` (write_durably
/// says how, and what it throws). False when the writer no longer holds the lease. Takes the checkpoint apart
/// while it writes, so that no more than a fourth array is held beside its three.
bool write_checkpoint(const std::filesystem::path& path, const study::Trial& trial,
                      const std::string& instruction_set, Checkpoint checkpoint, const Writer& writer);

/// Memory that write_checkpoint holds, the checkpoint included, in bytes: four binary32 arrays of the model's
/// size. The curve is not counted.
std::int64_t checkpoint_bytes(const study::Trial& trial);

/// Reads and checks a checkpoint from which `trial` is to go on. The fault names why it is not: missing, not
/// HDF5, truncated, damaged, of a newer schema, or of another numerics version, trial or instruction set (one
/// with other bits: bits_of), under which the trial's other steps would not belong to its first ones.
base::Result<Checkpoint> read_checkpoint(const std::filesystem::path& path, const study::Trial& trial,
                                         const std::string& instruction_set);

}  // namespace isogrid::archive
