// What it takes for a file to be on the disk.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <system_error>

#include "files/descriptor.hpp"

namespace isogrid::files {

/// What the system's last call says of its failure.
std::error_code last_error();

/// Where a link leads, whether or not something is there yet; other paths as they are.
std::filesystem::path behind_links(std::filesystem::path path);

/// Appends all of `bytes`.
[[nodiscard]] std::error_code write_all(const Descriptor& file, std::span<const std::byte> bytes);

/// Its content; closes it, as network file systems tell of a full quota then.
[[nodiscard]] std::error_code sync_and_close(Descriptor& file);

/// The names in the folder that `path` is in: a rename is on the disk only when its folder is. No error where
/// the file system knows no such thing.
[[nodiscard]] std::error_code sync_folder_of(const std::filesystem::path& path);

/// Makes the folder and what is missing above it, each with its name on the disk: what is synced in a folder
/// is lost with a folder that is not. Throws std::filesystem::filesystem_error.
void make_folders(const std::filesystem::path& folder);

}  // namespace isogrid::files
