// What `isogrid tokenize` is asked for, and what of it cannot be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/fault.hpp"

namespace isogrid::data {

struct TokenizeRequest {
    std::vector<std::string> texts;  ///< paths; `-` is standard input
    std::filesystem::path out;
    /// bytes, sentencepiece:VOCABULARY, the path of a .model file, or, where the texts are tokens that
    /// another program has made (token_arrays.hpp), tokens:VOCABULARY
    std::string tokenizer = "bytes";
    double validation = 0.01;                ///< chance of each block of text to be held out; in (0, 0.5]
    std::vector<std::string> held_out = {};  ///< more texts: all that is held out, where any is named
    std::string json_field =
        {};  ///< texts are JSON Lines, and documents stand there (json_lines.hpp); empty: no
};

/// All that is read: the texts, then those that are held out.
std::vector<std::string> all_texts(const TokenizeRequest& request);

/// Whether a vocabulary is trained on the texts.
bool trains_vocabulary(const TokenizeRequest& request);

/// Whether the texts are tokens already.
bool takes_tokens(const TokenizeRequest& request);

/// The number behind the colon of a tokenizer; nothing where it is none.
std::optional<std::int64_t> vocabulary_asked(const std::string& tokenizer);

/// Where a request that trains a vocabulary keeps its model; nothing where it trains none.
std::optional<std::filesystem::path> trained_model(const TokenizeRequest& request);

/// What is wrong with the request itself, all of it.
base::Faults check(const TokenizeRequest& request);

}  // namespace isogrid::data
