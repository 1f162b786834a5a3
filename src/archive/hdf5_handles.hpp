// HDF5's C API behind handles that close themselves and errors that speak. Only this layer's .cpp files
// include this.
#pragma once

#include <cstddef>
#include <filesystem>
#include <hdf5.h>
#include <stdexcept>
#include <string>
#include <string_view>

namespace isogrid::archive {

/// A call of HDF5 that failed: what we wanted, and HDF5's own reason.
class Hdf5Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Throws Hdf5Error `cannot WISH (HDF5's reason)` when `status` is negative; else hands it back.
herr_t ensure(herr_t status, std::string_view wish);

/// Owns one HDF5 identifier and closes it with the function that belongs to its kind.
class Handle {
  public:
    using Close = herr_t (*)(hid_t);

    /// Throws Hdf5Error `cannot WISH (HDF5's reason)` when `id` is the result of a failed call.
    Handle(hid_t id, Close close, std::string_view wish);
    Handle(Handle&& other) noexcept;
    Handle& operator=(Handle&& other) noexcept;
    ~Handle();

    operator hid_t() const { return id_; }  // NOLINT(google-explicit-constructor): what the C API takes

  private:
    hid_t id_;
    Close close_;
};

/// A new file of ours under this name, written over what was there. The same calls give the same bytes.
/// Without HDF5's file locks. Throws Hdf5Error.
Handle create_file(const std::string& path);

/// Opens for reading, without HDF5's file locks: finished files never change, and network file systems often
/// have no locks. Throws Hdf5Error.
Handle open_file(const std::filesystem::path& path);

Handle create_group(hid_t parent, const std::string& name);

/// Opens a dataset of this file: a link into another file is not followed. Throws Hdf5Error.
Handle open_dataset(hid_t parent, const std::string& name);

/// Throws Hdf5Error unless the dataset's bytes stand in one piece inside its file: after that its extent says
/// how much there really is to read.
void ensure_contiguous(const Handle& dataset, const std::string& name);

/// One row of numbers or records; the extent of a one-dimensional dataset.
Handle make_space(std::size_t extent);
std::size_t extent_of(const Handle& dataset);

/// A UTF-8 text in `size` bytes, at least one of them a zero at its end.
Handle make_text_type(std::size_t size);

/// Creation properties of every dataset: contiguous, and no times, so that the same data give the same bytes.
Handle dataset_properties();

}  // namespace isogrid::archive
