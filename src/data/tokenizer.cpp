#include "data/tokenizer.hpp"

#include <algorithm>
#include <cassert>
#include <exception>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <stdexcept>
#include <utility>

#include "base/digest.hpp"
#include "data/token_format.hpp"
#include "files/text.hpp"

namespace isogrid::data {

namespace {

using base::fail;
using base::Result;

class ByteTokenizer final : public Tokenizer {
  public:
    std::string name() const override { return "bytes"; }
    std::int64_t vocabulary() const override { return 256; }
    void encode(std::string_view text, std::vector<Token>& tokens) const override {
        for (const char byte : text)
            tokens.push_back(static_cast<unsigned char>(byte));
    }
    std::string decode(std::span<const Token> tokens) const override {
        std::string text;
        for (const Token token : tokens)
            text += static_cast<char>(token);
        return text;
    }
};

class SentencePieceTokenizer final : public Tokenizer {
  public:
    SentencePieceTokenizer(std::unique_ptr<sentencepiece::SentencePieceProcessor> processor, std::string name)
        : processor_(std::move(processor)), name_(std::move(name)) {}

    std::string name() const override { return name_; }
    std::int64_t vocabulary() const override { return processor_->GetPieceSize(); }

    void encode(std::string_view text, std::vector<Token>& tokens) const override {
        std::vector<int> pieces;
        check(processor_->Encode(absl::string_view(text.data(), text.size()), &pieces));
        std::ranges::transform(pieces, std::back_inserter(tokens),
                               [](int piece) { return static_cast<Token>(piece); });
    }

    std::string decode(std::span<const Token> tokens) const override {
        const std::vector<int> pieces(tokens.begin(), tokens.end());
        std::string text;
        check(processor_->Decode(pieces, &text));
        return text;
    }

  private:
    static void check(const sentencepiece::util::Status& status) {
        if (!status.ok()) throw std::runtime_error("SentencePiece failed (" + status.ToString() + ")");
    }

    std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
    std::string name_;
};

/// Hands lines to SentencePiece, which wants each as a std::string.
class Lines final : public sentencepiece::SentenceIterator {
  public:
    explicit Lines(std::span<const std::string> lines) : lines_(lines) {}
    bool done() const override { return next_ == lines_.size(); }
    void Next() override { ++next_; }
    const std::string& value() const override { return lines_[next_]; }
    sentencepiece::util::Status status() const override { return {}; }

  private:
    std::span<const std::string> lines_;
    std::size_t next_ = 0;
};

/// The number that follows `mark` in `message`, or nothing.
std::string number_after(const std::string& message, const std::string& mark) {
    const std::size_t at = message.find(mark);
    if (at == std::string::npos) return {};
    const std::size_t digits = at + mark.size();
    return message.substr(digits, message.find_first_not_of("0123456789", digits) - digits);
}

/// What SentencePiece said, in words that help somebody who has never seen its source.
std::string why_training_failed(const std::string& message) {
    if (const auto most = number_after(message, "to a value <= "); !most.empty())
        return "this text is enough for " + most + " pieces at most";
    if (message.find("required_chars") != std::string::npos)
        return "the letters of this text and the 256 bytes alone are " + number_after(message, " vs ") +
               " pieces";
    if (message.find("sentences_.empty()") != std::string::npos) return "the text has no usable line";
    return "SentencePiece says: " + message;
}

/// SentencePiece reports most damage by its status, and a piece with a zero inside by an exception.
bool loads(sentencepiece::SentencePieceProcessor& processor, const std::string& model) {
    try {
        return processor.LoadFromSerializedProto(model).ok();
    } catch (const std::exception&) {
        return false;
    }
}

}  // namespace

std::unique_ptr<Tokenizer> make_byte_tokenizer() {
    return std::make_unique<ByteTokenizer>();
}

Result<std::unique_ptr<Tokenizer>> make_sentencepiece_tokenizer(const std::string& model,
                                                                const std::string& where) {
    auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
    if (model.empty() || !loads(*processor, model))
        return fail(where, "is not a SentencePiece model", "SentencePiece cannot read it",
                    "name a .model file");
    if (processor->GetPieceSize() > largest_vocabulary)
        return fail(where, "has too large a vocabulary",
                    std::to_string(processor->GetPieceSize()) + " pieces, a token file holds " +
                        std::to_string(largest_vocabulary) + " at most",
                    "use a smaller one");
    return std::make_unique<SentencePieceTokenizer>(std::move(processor),
                                                    "sentencepiece:" + base::sha256(model));
}

Result<std::unique_ptr<Tokenizer>> load_sentencepiece_tokenizer(const std::filesystem::path& path) {
    const Result<std::string> model = files::read_text(path, "a .model file");
    if (!model) return tl::unexpected(model.error());
    return make_sentencepiece_tokenizer(*model, path.string());
}

Result<std::string> train_sentencepiece(std::span<const std::string> lines, std::int64_t vocabulary) {
    assert(vocabulary >= smallest_sentencepiece_vocabulary && vocabulary <= largest_vocabulary);
    Lines sentences(lines);
    std::string model;
    const auto status =
        sentencepiece::SentencePieceTrainer::Train({{"model_type", "bpe"},
                                                    {"vocab_size", std::to_string(vocabulary)},
                                                    // Lossless: the text as it is, rare characters as bytes.
                                                    {"normalization_rule_name", "identity"},
                                                    {"remove_extra_whitespaces", "false"},
                                                    {"add_dummy_prefix", "false"},
                                                    {"byte_fallback", "true"},
                                                    {"character_coverage", "0.9995"},
                                                    {"split_digits", "true"},
                                                    // Every line once, in order, on one thread.
                                                    {"input_sentence_size", "0"},
                                                    {"shuffle_input_sentence", "false"},
                                                    {"max_sentence_length", "1000000000"},
                                                    {"num_threads", "1"},
                                                    {"minloglevel", "4"}},
                                                   &sentences, &model);
    if (!status.ok())
        return fail("--tokenizer",
                    "a vocabulary of " + std::to_string(vocabulary) + " cannot be made from this text",
                    why_training_failed(status.ToString()), "give more text, or another size");
    return model;
}

}  // namespace isogrid::data
