// A tokenizer as files that Hugging Face's AutoTokenizer loads, beside an exported model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/fault.hpp"

namespace isogrid::data {

/// Writes tokenizer.json and tokenizer_config.json of the tokenizer for which every byte is a token.
/// `context` is the model's, in tokens; `folder` must exist.
base::Result<void> export_byte_tokenizer(const std::filesystem::path& folder, std::int64_t context);

/// Copies the bytes of a SentencePiece model to `folder`/tokenizer.model. True where it leaves text as it is,
/// as vocabularies do that `isogrid tokenize` trains: then a tokenizer_config.json is written beside it that
/// gives the same tokens. Of a model that normalizes text only its maker has the settings. Faults name
/// `where`.
base::Result<bool> export_sentencepiece_tokenizer(const std::string& model, const std::string& where,
                                                  const std::filesystem::path& folder, std::int64_t context);

}  // namespace isogrid::data
