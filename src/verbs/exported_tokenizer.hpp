// The tokenizer that `export` leaves beside a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "archive/archive.hpp"
#include "verbs/verb.hpp"

namespace isogrid::verbs {

/// The tokenizer to leave beside a model.
struct ExportedTokenizer {
    std::string name;        ///< as data::TokenFileHeader has it; empty where nobody knows it
    std::string model;       ///< the bytes of a SentencePiece model, where one was found
    std::string model_path;  ///< where
};

/// What --tokenizer names, or the model that `tokenize` left beside the token file, wherever that is looked
/// for (verbs/retraining.hpp); a fault where --tokenizer is not the model that the archive's tokens were made
/// with.
base::Result<ExportedTokenizer> tokenizer_of(const archive::Archive& archive,
                                             const std::filesystem::path& place,
                                             const options::variables_map& given);

/// Writes `tokenizer` beside the exported model; says so where it cannot.
base::Result<void> export_tokenizer(const ExportedTokenizer& tokenizer, const std::filesystem::path& folder,
                                    std::int64_t context);

}  // namespace isogrid::verbs
