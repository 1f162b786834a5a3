// Tokens that other programs have made: arrays of NumPy, files of llm.c, and bare numbers of 16 bits.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/fault.hpp"
#include "data/token_file.hpp"
#include "files/descriptor.hpp"

namespace isogrid::data {

/// About as many as a block of text has bytes (text_blocks.hpp).
inline constexpr std::size_t block_tokens = 4096;

/// Reads `file` to its end and hands its tokens to `use`, in order, in blocks of `block_tokens`, the last one
/// shorter. How they are stored follows from the first bytes:
///   - 0x93 `NUMPY`: an array of NumPy's format, of integers of 8 to 64 bits; one of several dimensions is
///     read row by row;
///   - 20240520 or 20240801 in 32 bits: a header of llm.c (256 numbers of 32 bits, the third of them the
///     count) and tokens of 16 or 32 bits;
///   - all else: numbers of 16 bits, as nanoGPT writes them, but what can only be text is refused.
/// All of it is little-endian. Faults, of reading, of the format and of tokens that are not below
/// `vocabulary`, name `name`; stops at the first, or at one of `use`.
base::Result<void> for_each_token_block(const files::Descriptor& file, std::string_view name,
                                        std::int64_t vocabulary,
                                        const std::function<base::Result<void>(std::span<const Token>)>& use);

}  // namespace isogrid::data
