// Whether a file is an HDF5 file at all.
#pragma once

#include <filesystem>
#include <optional>

namespace isogrid::archive {

/// True when the file begins with HDF5's signature; nothing when it cannot be read, and errno says why.
std::optional<bool> begins_as_hdf5(const std::filesystem::path& path);

}  // namespace isogrid::archive
