// From text to tokens and back: bytes, or a SentencePiece vocabulary.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.hpp"
#include "data/token_file.hpp"

namespace isogrid::data {

class Tokenizer {
  public:
    virtual ~Tokenizer() = default;
    virtual std::string name() const = 0;  ///< as TokenFileHeader::tokenizer states it
    virtual std::int64_t vocabulary() const = 0;
    /// Adds the tokens of `text` to the end of `tokens`.
    virtual void encode(std::string_view text, std::vector<Token>& tokens) const = 0;
    virtual std::string decode(std::span<const Token> tokens) const = 0;
};

/// Each byte is its own token; vocabulary 256. Any bytes come back as they were.
std::unique_ptr<Tokenizer> make_byte_tokenizer();

/// From the bytes of a SentencePiece model. A vocabulary that train_sentencepiece made gives back any UTF-8
/// text as it was, save U+2581, SentencePiece's mark of a space, which comes back as a space; bytes that are
/// no UTF-8 become U+FFFD. Other models may change more, as their own normalization says. Faults name
/// `where`.
base::Result<std::unique_ptr<Tokenizer>> make_sentencepiece_tokenizer(const std::string& model,
                                                                      const std::string& where);

/// A SentencePiece tokenizer from the .model file at `path`.
base::Result<std::unique_ptr<Tokenizer>> load_sentencepiece_tokenizer(const std::filesystem::path& path);

inline constexpr std::int64_t smallest_sentencepiece_vocabulary = 320;

/// Trains a byte-pair vocabulary (Sennrich, Haddow and Birch 2016) of `vocabulary` pieces on lines of text
/// and returns the bytes of its model. Every byte is a piece too, so that no character is lost. No chance is
/// involved: the same lines give the same model.
base::Result<std::string> train_sentencepiece(std::span<const std::string> lines, std::int64_t vocabulary);

}  // namespace isogrid::data
