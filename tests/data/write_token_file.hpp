// A whole token file from tokens in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "data/token_writer.hpp"

namespace isogrid::data {

/// As TokenWriter has it.
inline base::Result<TokenFileHeader> write_token_file(const std::filesystem::path& path,
                                                      std::span<const Token> training,
                                                      std::span<const Token> validation,
                                                      const std::string& tokenizer, std::int64_t vocabulary,
                                                      std::int64_t training_bytes,
                                                      std::int64_t validation_bytes) {
    auto writer = TokenWriter::create(path);
    if (!writer) return tl::unexpected(std::move(writer.error()));
    writer->append(Part::training, training, training_bytes);
    writer->append(Part::validation, validation, validation_bytes);
    return writer->finish(tokenizer, vocabulary);
}

}  // namespace isogrid::data
