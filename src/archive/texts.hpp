// Texts in HDF5: attributes, and datasets of one element.
#pragma once

#include <string>

#include "archive/hdf5_handles.hpp"

namespace isogrid::archive {

/// A text attribute of a file's root or of a dataset. HDF5 keeps a checksum over attributes.
void write_attribute(hid_t object, const std::string& name, const std::string& text);
std::string read_attribute(hid_t object, const std::string& name);

/// A dataset that no trial's digest covers carries the SHA-256 of its bytes as the attribute `sha256`.
/// check_seal throws Hdf5Error when the bytes are no longer those.
void write_seal(const Handle& dataset, const std::string& sha256);
void check_seal(const Handle& dataset, const std::string& name, const std::string& sha256);

/// A sealed text as a dataset of one element.
void write_text(hid_t parent, const std::string& name, const std::string& text);
std::string read_text(hid_t parent, const std::string& name);

}  // namespace isogrid::archive
