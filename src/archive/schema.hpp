// What kind of file this is: its schema stamp, small texts, and every reason not to trust it.
#pragma once

#include <filesystem>
#include <string>

#include "archive/hdf5_handles.hpp"
#include "base/fault.hpp"

namespace isogrid::archive {

inline constexpr const char* trial_schema = "isogrid-trial/1";
inline constexpr const char* segment_schema = "isogrid-segment/1";
inline constexpr const char* archive_schema = "isogrid-archive/1";
inline constexpr const char* checkpoint_schema = "isogrid-checkpoint/1";

/// Opens a file of this schema to read. The fault says which it is: missing, not HDF5, cut short, not a file
/// of isogrid, of another kind, or of a newer schema.
base::Result<Handle> open_checked(const std::filesystem::path& path, const std::string& schema);

/// Opens a file that holds records, of any of the three schemas, as open_checked does.
base::Result<Handle> open_any(const std::filesystem::path& path);

/// The fault of a file in which HDF5 met something broken.
tl::unexpected<base::Faults> damaged(const std::filesystem::path& path, const Hdf5Error& error);

}  // namespace isogrid::archive
