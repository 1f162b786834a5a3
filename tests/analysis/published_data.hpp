// Where the runs that other groups published lie; tests that need them skip where they are absent.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace isogrid::analysis {

inline std::filesystem::path published_data() {
    if (const char* folder = std::getenv("ISOGRID_PUBLISHED_DATA")) return folder;
    return std::filesystem::path(ISOGRID_SOURCE_DIR) / ".." / "shared" / "data";
}

}  // namespace isogrid::analysis

/// Skips the test, saying so, unless the published file is there.
#define ISOGRID_NEEDS_PUBLISHED(file)   \
    if (!std::filesystem::exists(file)) \
    GTEST_SKIP() << (file).string() << " is absent: set ISOGRID_PUBLISHED_DATA to the published runs"
