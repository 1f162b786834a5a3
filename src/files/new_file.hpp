// A file that appears under its name only when it is whole and on the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/fault.hpp"
#include "files/descriptor.hpp"
#include "files/unfinished_files.hpp"

namespace isogrid::files {

/// Writes to a temporary name beside `path`; commit() syncs it and renames it into place, replacing what was
/// there. Without a commit the destructor removes it. A killed process can leave `NAME.PID-N.partial`, never
/// half a file under its final name; a program that called remove_unfinished_files_when_ended() leaves
/// neither when it is interrupted. Writes through a link.
///
/// Where the disk refuses, all of these throw std::runtime_error `path: problem (system's reason) what to
/// do`.
class NewFile {
  public:
    /// A fault where `path` can be no file: in no folder, in one that may not be written to, a device or a
    /// pipe.
    static base::Result<NewFile> create(const std::filesystem::path& path);
    NewFile(NewFile&& other) noexcept = default;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    /// Appends.
    void write(std::span<const std::byte> bytes);
    void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
    /// Overwrites bytes already written, from `offset` on.
    void write_at(std::int64_t offset, std::span<const std::byte> bytes);
    /// Reads back bytes already written; returns how many there were, fewer than asked only at the end.
    std::size_t read_at(std::int64_t offset, std::span<std::byte> bytes) const;
    void commit();

    const std::filesystem::path& temporary_path() const { return temporary_; }

  private:
    NewFile(std::filesystem::path path, std::filesystem::path temporary, Descriptor descriptor);

    std::filesystem::path path_, temporary_;
    Descriptor descriptor_;
    UnfinishedFile unfinished_;
};

}  // namespace isogrid::files
