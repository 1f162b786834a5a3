// A new HDF5 file in anonymous memory, complete before a byte of it goes to disk.
//
// So a full disk is met by our own write and never by HDF5, which in this version keeps a file that it could
// not flush open and crashes at exit. What HDF5 allocates but does not write (properties_left_out) takes
// no memory: a hole, which whoever puts the file on disk fills.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "archive/hdf5_handles.hpp"
#include "files/descriptor.hpp"

namespace isogrid::archive {

class FileImage {
  public:
    /// An empty file, open. The same calls on it give the same bytes. Throws when there is no memory.
    FileImage();
    FileImage(const FileImage&) = delete;
    FileImage& operator=(const FileImage&) = delete;
    ~FileImage();

    hid_t file() const { return file_; }

    /// Completes and closes the file, which is to go to `path`: its bytes, valid as long as this is. Holes
    /// read as zeros. Throws std::runtime_error `path: problem (reason) what to do` when memory or the limit
    /// on the size of files ends.
    std::span<const std::byte> finish(const std::filesystem::path& path);

  private:
    files::Descriptor descriptor_;
    Handle file_;
    std::span<const std::byte> bytes_;
};

/// Creation properties of a dataset whose bytes are left out of an image.
Handle properties_left_out();

}  // namespace isogrid::archive
