// Damaged HDF5 files whose checksums are right again, so that the damage gets as far as our own readers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace isogrid::fuzz {

/// Bob Jenkins' lookup3 (hashlittle, initial value 0), which HDF5 keeps over its headers.
std::uint32_t lookup3(std::string_view bytes);

/// Recomputes, where they are found, the `sha256` attribute of each dataset that lies in one piece (the
/// format specification's messages 0x0008 and 0x000C), and the checksums of superblock and object headers
/// (HDF5 File Format Specification 3.0, II.A and IV.A.1.b). Bytes of any kind are fine: what makes no sense
/// is passed over.
void repair_checksums(std::string& bytes);

}  // namespace isogrid::fuzz
