// A folder that nothing is left in.
#pragma once

#include <filesystem>
#include <unistd.h>

namespace isogrid::files {

/// Removes the folder if it is empty, and nothing else: std::filesystem::remove also takes a link away whose
/// folder is full and in use, as people link run folders to scratch disks.
inline void remove_empty_folder(const std::filesystem::path& folder) {
    ::rmdir(folder.c_str());
}

}  // namespace isogrid::files
