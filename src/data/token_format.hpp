// The bytes of a token file's header, shared by its reader and its writer (docs/token-file.md).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>

#include "base/digest.hpp"
#include "data/token_file.hpp"

namespace isogrid::data {

static_assert(std::endian::native == std::endian::little,
              "token files are little-endian and mapped as they are");

inline constexpr std::array<char, 8> token_file_magic = {'\x89', 'i', 's', 'o', 't', 'o', 'k', '\n'};
inline constexpr std::int64_t token_file_version = 1;
inline constexpr std::int64_t largest_vocabulary = 65536;

/// The first 256 bytes of a token file, exactly as they stand on the disk. The training tokens follow, then
/// the validation tokens, two bytes each, and nothing else. Text is padded with zeros.
struct RawHeader {
    std::array<char, 8> magic = token_file_magic;
    std::int64_t version = token_file_version;
    std::int64_t vocabulary = 0;
    std::int64_t training_tokens = 0;
    std::int64_t validation_tokens = 0;
    std::int64_t training_bytes = 0;
    std::int64_t validation_bytes = 0;
    std::array<char, 64> digest{};
    std::array<char, 136> tokenizer{};
};
static_assert(sizeof(RawHeader) == 256 && alignof(RawHeader) == 8);

/// Ends the digest of a token file: `tokens_hash` has been fed all tokens, training first; now it takes the
/// header with its digest left empty.
std::string finish_digest(base::Sha256 tokens_hash, RawHeader header);

}  // namespace isogrid::data
