// A file's content as text.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/fault.hpp"

namespace isogrid::files {

/// All bytes of a file that a person named, which may be a pipe; a fault where it is a folder, is not there,
/// or cannot be read to its end. `kind` says what is asked for: `a job file`.
base::Result<std::string> read_text(const std::filesystem::path& path, std::string_view kind);

/// All bytes of a small file of our own that may be gone, half written or on a file server that fails:
/// nothing where it cannot be opened, or read to its end. Waits for nobody.
std::optional<std::string> text_of(const std::filesystem::path& path);

}  // namespace isogrid::files
