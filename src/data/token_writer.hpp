// Writes a token file as its tokens come, training and validation mixed, holding none of them in memory.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/fault.hpp"
#include "data/token_file.hpp"
#include "files/new_file.hpp"

namespace isogrid::data {

enum class Part { training, validation };

/// Nothing stands under the final name before finish() has returned; a writer that ends without it leaves
/// nothing. Needs room for the file and once more for its validation part, and throws what files::NewFile
/// does where there is none.
class TokenWriter {
  public:
    /// A fault where `path` can be no file.
    static base::Result<TokenWriter> create(const std::filesystem::path& path);

    /// Adds the tokens of `text_bytes` bytes of text to the end of a part.
    void append(Part part, std::span<const Token> tokens, std::int64_t text_bytes);

    /// `tokenizer` and `vocabulary` as in TokenFileHeader; the header as written.
    TokenFileHeader finish(const std::string& tokenizer, std::int64_t vocabulary);

  private:
    TokenWriter(std::filesystem::path path, files::NewFile file, files::NewFile validation_file);
    void copy_validation();

    struct Piece {
        std::vector<Token> buffer;
        std::int64_t tokens = 0, bytes = 0;
    };
    void flush(Part part);

    std::filesystem::path path_;
    files::NewFile file_, validation_file_;
    Piece training_, validation_;
    base::Sha256 hash_;
};

}  // namespace isogrid::data
