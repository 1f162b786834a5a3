// Where the answer is written: a file, or a device or a pipe in its place.
#pragma once

#include <filesystem>
#include <string>

#include "base/fault.hpp"

namespace isogrid::analysis {

/// What would keep `file` from being written, told before the laws are fitted; `option` named it.
base::Faults check_place(const std::string& option, const std::filesystem::path& file);

/// A file is whole under its name or as it was before, whatever the disk does, and the folders above it are
/// made; a device or a pipe is written to. Throws std::runtime_error `path: problem (why) what to do`, and
/// std::filesystem::filesystem_error of the folders.
void write(const std::filesystem::path& file, const std::string& text);

}  // namespace isogrid::analysis
