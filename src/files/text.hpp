// A small file's content, where it can be had.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace isogrid::files {

/// All bytes of a file that may be gone, half written or on a file server that fails: nothing where it cannot
/// be opened, or read to its end. std::ifstream throws past its own flags where a read fails.
std::optional<std::string> text_of(const std::filesystem::path& path);

}  // namespace isogrid::files
