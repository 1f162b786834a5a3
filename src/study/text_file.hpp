// A whole file as text.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "study/fault.hpp"

namespace isogrid::study {

/// The file's bytes; a fault where it is a folder, is not there, or cannot be read to its end. `kind` says
/// what is asked for: `a job file`.
Result<std::string> read_text(const std::filesystem::path& path, std::string_view kind);

}  // namespace isogrid::study
