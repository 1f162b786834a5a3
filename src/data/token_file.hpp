// A tokenized corpus on disk, memory-mapped: a header, a training part, a validation part that never overlaps
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/fault.hpp"

namespace isogrid::data {

using Token = std::uint16_t;

struct TokenFileHeader {
    /// `bytes`, `sentencepiece:` and the model's SHA-256, or `tokens`, which another program made
    std::string tokenizer;
    std::int64_t vocabulary = 0;  ///< at most 65,536
    std::int64_t training_tokens = 0;
    std::int64_t validation_tokens = 0;
    std::int64_t training_bytes = 0;  ///< of the text behind each part, for bits per byte; 0: not known
    std::int64_t validation_bytes = 0;
    std::string digest;  ///< SHA-256 of everything above and all tokens
};

/// An open token file; copies share one mapping.
class TokenFile {
  public:
    /// Opens and checks form and sizes (not the digest: verify() does).
    static base::Result<TokenFile> open(const std::filesystem::path& path);

    const TokenFileHeader& header() const;
    std::span<const Token> training() const;
    std::span<const Token> validation() const;

    /// Reads everything once and compares the digest.
    base::Result<void> verify() const;

    /// Verifies only where somebody has touched the file since it was opened or last verified so: an open
    /// file that is written to in place changes under its reader. A file that is replaced under its name does
    /// not: it is read on as it was. Once a check fails, all later ones do: nobody knows what was read
    /// meanwhile.
    base::Result<void> verify_if_touched() const;

    /// Inode, size and times: the same for all who see one file, whatever node they are on.
    std::string seen_as() const;

  private:
    struct Mapping;
    std::shared_ptr<const Mapping> mapping_;
};

}  // namespace isogrid::data
