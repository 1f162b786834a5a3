// Arrays in the .npy format of NumPy (version 1.0), which every tool of the field can read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "base/fault.hpp"
#include "data/token_file.hpp"

namespace isogrid::data {

/// Writes `values` (row-major; as many as the product of `shape`) as uint16 or int64. Nothing stands under
/// `path` before all is written. Faults and exceptions are NewFile's.
base::Result<void> write_npy(const std::filesystem::path& path, std::span<const Token> values,
                             std::span<const std::int64_t> shape);
base::Result<void> write_npy(const std::filesystem::path& path, std::span<const std::int64_t> values,
                             std::span<const std::int64_t> shape);

}  // namespace isogrid::data
