// What isogrid writes is a small part of the HDF5 format, and only files of that part reach the library:
// where a file's own sizes contradict each other, HDF5 1.10 reads beyond its memory, whatever the checksums
// say.
#pragma once

#include <filesystem>

#include "archive/hdf5_handles.hpp"

namespace isogrid::archive {

/// HDF5 may read this file; isogrid has not written it.
class ForeignLayout : public Hdf5Error {
  public:
    using Hdf5Error::Hdf5Error;
};

/// Walks the metadata of a file from its superblock on (HDF5 File Format Specification 3.0, II.A, IV.A.1.b
/// and IV.A.2) and throws Hdf5Error, with the reason and the place in the file, unless all of it is as
/// isogrid writes it: groups of few hard links; datasets of rows that stand in one piece; columns and
/// attributes of fixed width, 64-bit integers, floats and texts; every size the one that follows from the
/// others; no two things in one place. Reads only the metadata, a megabyte of it at once at most. Checksums
/// are HDF5's to compare, and what the names and numbers mean is for the readers of each schema.
void ensure_own_layout(const std::filesystem::path& path);

}  // namespace isogrid::archive
