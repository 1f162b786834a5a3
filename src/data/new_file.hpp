// A file that appears under its name only when it is whole and on the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "data/descriptor.hpp"
#include "data/unfinished_files.hpp"
#include "study/fault.hpp"

namespace isogrid::data {

/// Writes to a temporary name beside `path`; commit() syncs it and renames it into place, replacing what was
/// there. Without a commit the destructor removes it. A killed process can leave `NAME.PID-N.partial`, never
/// half a file under its final name; a program that called remove_unfinished_files_when_ended() leaves
/// neither when it is interrupted. Writes through a link; refuses devices and pipes. Faults name `path` and
/// say what the system said.
class NewFile {
  public:
    static study::Result<NewFile> create(const std::filesystem::path& path);
    NewFile(NewFile&& other) noexcept = default;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    /// Appends.
    study::Result<void> write(std::span<const std::byte> bytes);
    study::Result<void> write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
    /// Overwrites bytes already written, from `offset` on.
    study::Result<void> write_at(std::int64_t offset, std::span<const std::byte> bytes);
    /// Reads back bytes already written; returns how many there were, fewer than asked only at the end.
    study::Result<std::size_t> read_at(std::int64_t offset, std::span<std::byte> bytes) const;
    study::Result<void> commit();

    const std::filesystem::path& temporary_path() const { return temporary_; }

  private:
    NewFile(std::filesystem::path path, std::filesystem::path temporary, Descriptor descriptor);
    tl::unexpected<study::Faults> failure(const std::string& problem) const;

    std::filesystem::path path_, temporary_;
    Descriptor descriptor_;
    UnfinishedFile unfinished_;
};

}  // namespace isogrid::data
