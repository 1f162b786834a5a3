// Small files of our own that are read while they change.
#pragma once

#include <filesystem>
#include <string_view>

namespace isogrid::files {

/// Replaces `file` by one with this text, in one move from `temporary` in the same folder: a reader finds the
/// old one or the new one. A disk that refuses is passed over: the old file stays.
void replace(const std::filesystem::path& file, const std::filesystem::path& temporary,
             std::string_view text);

}  // namespace isogrid::files
