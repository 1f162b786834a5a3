#include "data/tokenize.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include <sys/stat.h>

#include "data/json_lines.hpp"
#include "data/random.hpp"
#include "data/text_blocks.hpp"
#include "data/texts.hpp"
#include "data/token_arrays.hpp"
#include "data/token_format.hpp"
#include "data/token_writer.hpp"
#include "data/tokenizer.hpp"
#include "files/new_file.hpp"

namespace isogrid::data {

namespace {

using base::Result;

/// Text that a vocabulary is trained on: enough for its frequent pieces, little enough to take seconds.
constexpr double vocabulary_sample_bytes = 8e6;

double chance_of_block(RandomUse use, std::int64_t number) {
    return uniform(random_words(0, use, 0, static_cast<std::uint64_t>(number))[0]);
}

/// Where block `number` of the texts goes, counted through all of them; those of texts that are held out
/// whole have no number.
Part part_of_block(const TokenizeRequest& request, std::int64_t number) {
    const bool is_held_out = request.held_out.empty() &&
                             chance_of_block(RandomUse::validation_blocks, number) < request.validation;
    return is_held_out ? Part::validation : Part::training;
}

/// Calls `use` with each part of a text that is held out as one or not at all: a document, or a block.
Result<void> for_each_part(const Text& text, const TokenizeRequest& request,
                           const std::function<Result<void>(std::string_view)>& use) {
    const auto file = opened(text);
    if (!file) return tl::unexpected(file.error());
    if (request.json_field.empty()) return for_each_block(*file, text.name, use);
    return for_each_document(*file, text.name, request.json_field, use);
}

/// Lines of training blocks, spread over the whole of the texts.
Result<std::vector<std::string>> sample_lines(const TokenizeRequest& request, std::span<const Text> texts) {
    double bytes = 0;
    for (const Text& text : texts) {
        const auto file = opened(text);
        if (!file) return tl::unexpected(file.error());
        struct stat facts {};
        if (::fstat(file->get(), &facts) == 0) bytes += static_cast<double>(facts.st_size);
    }
    std::vector<std::string> lines;
    std::int64_t blocks = 0, pieces = 0;
    const auto take_some = [&](std::string_view piece, std::int64_t number) {
        if (chance_of_block(RandomUse::vocabulary_sample, number) * bytes > vocabulary_sample_bytes) return;
        std::istringstream text{std::string(piece)};
        for (std::string line; std::getline(text, line);)
            if (!line.empty()) lines.push_back(line);
    };
    const auto sample = [&](std::string_view block) -> Result<void> {
        const std::int64_t number = blocks++;
        if (part_of_block(request, number) == Part::validation) return {};
        if (request.json_field.empty())
            take_some(block, number);
        else  // of long documents too a little each
            while (!block.empty()) {
                const std::size_t end = std::min(block.find('\n', usual_block_bytes), block.size() - 1);
                take_some(block.substr(0, end + 1), pieces++);
                block.remove_prefix(end + 1);
            }
        return {};
    };
    for (const Text& text : texts)
        if (auto read = for_each_part(text, request, sample); !read) return tl::unexpected(read.error());
    return lines;
}

/// How texts become tokens.
struct Vocabulary {
    std::unique_ptr<Tokenizer> tokenizer;  ///< none where they are tokens already
    std::string new_model;                 ///< the bytes of the tokenizer's model, where it was made just now
};

Result<Vocabulary> make_vocabulary(const TokenizeRequest& request, std::span<Text> texts) {
    if (takes_tokens(request)) return Vocabulary{};
    if (request.tokenizer == "bytes") return Vocabulary{make_byte_tokenizer(), {}};
    const auto with_model = [](std::string model) {
        return [model = std::move(model)](std::unique_ptr<Tokenizer> tokenizer) {
            return Vocabulary{std::move(tokenizer), model};
        };
    };
    if (!trains_vocabulary(request))
        return load_sentencepiece_tokenizer(request.tokenizer).map(with_model({}));
    for (Text& text : texts)
        if (auto ready = make_rereadable(text, request.out); !ready) return tl::unexpected(ready.error());
    return sample_lines(request, texts)
        .and_then([&](const std::vector<std::string>& lines) {
            return train_sentencepiece(lines, *vocabulary_asked(request.tokenizer));
        })
        .and_then([&](const std::string& model) {
            return make_sentencepiece_tokenizer(model, "--tokenizer").map(with_model(model));
        });
}

/// Appends a text, each block to the part that `next_part` says.
Result<void> append(const Text& text, const TokenizeRequest& request, const Tokenizer* tokenizer,
                    const std::function<Part()>& next_part, TokenWriter& writer) {
    if (tokenizer == nullptr) {
        const auto file = opened(text);
        if (!file) return tl::unexpected(file.error());
        const auto use = [&](std::span<const Token> tokens) -> Result<void> {
            writer.append(next_part(), tokens, 0);  // nobody knows how many bytes they stand for
            return {};
        };
        return for_each_token_block(*file, text.name, *vocabulary_asked(request.tokenizer), use);
    }
    std::vector<Token> tokens;
    return for_each_part(text, request, [&](std::string_view block) -> Result<void> {
        const Part part = next_part();
        tokens.clear();
        tokenizer->encode(block, tokens);
        // Losses a byte are of the bytes that are predicted: another's model may drop ends of lines, say.
        const std::size_t bytes = part == Part::validation ? tokenizer->decode(tokens).size() : block.size();
        writer.append(part, tokens, static_cast<std::int64_t>(bytes));
        return {};
    });
}

std::string parts_in_words(const TokenizeRequest& request) {
    if (takes_tokens(request)) return "blocks of " + std::to_string(block_tokens) + " tokens";
    return request.json_field.empty() ? "blocks of about 4 KB" : "documents";
}

/// Appends all texts that part_of_block divides.
Result<void> append_divided(std::span<const Text> texts, const TokenizeRequest& request,
                            const Tokenizer* tokenizer, TokenWriter& writer) {
    std::int64_t blocks = 0, held_out = 0;
    const auto next_part = [&] {
        const Part part = part_of_block(request, blocks++);
        held_out += part == Part::validation;
        return part;
    };
    for (const Text& text : texts)
        if (auto appended = append(text, request, tokenizer, next_part, writer); !appended) return appended;
    if (blocks == 0)
        return base::fail(request.texts.front(), "holds no text", "there is nothing to tokenize",
                          "give another text");
    if (request.held_out.empty() && (held_out == 0 || held_out == blocks))
        return base::fail(request.texts.front(), "is too short to hold a part of it out",
                          std::to_string(held_out) + " of its " + std::to_string(blocks) + " " +
                              parts_in_words(request) + " fell to validation",
                          "give more text, another --validation, or a text to --held-out");
    return {};
}

/// Appends the texts that are held out whole.
Result<void> append_held_out(std::span<const Text> texts, const TokenizeRequest& request,
                             const Tokenizer* tokenizer, TokenWriter& writer) {
    for (const Text& text : texts) {
        std::int64_t blocks = 0;
        const auto next_part = [&] {
            ++blocks;
            return Part::validation;
        };
        if (auto appended = append(text, request, tokenizer, next_part, writer); !appended) return appended;
        if (blocks == 0)
            return base::fail(text.name, "holds no text", "there is nothing to hold out",
                              "give --held-out another text");
    }
    return {};
}

Result<void> save_model(const std::string& model, const std::filesystem::path& path) {
    auto file = files::NewFile::create(path);
    if (!file) return tl::unexpected(std::move(file.error()));
    file->write(model);
    file->commit();
    return {};
}

}  // namespace

Result<TokenFileHeader> tokenize(const TokenizeRequest& request) {
    if (base::Faults faults = check(request); !faults.empty()) return tl::unexpected(std::move(faults));
    auto found = find_texts(all_texts(request), !takes_tokens(request));
    if (!found) return tl::unexpected(std::move(found.error()));
    const auto texts = std::span(*found).first(request.texts.size()),
               held_out = std::span(*found).subspan(request.texts.size());
    auto writer = TokenWriter::create(request.out);
    if (!writer) return tl::unexpected(std::move(writer.error()));
    const auto vocabulary = make_vocabulary(request, texts);
    if (!vocabulary) return tl::unexpected(vocabulary.error());

    const Tokenizer* tokenizer = vocabulary->tokenizer.get();
    auto appended = append_divided(texts, request, tokenizer, *writer);
    if (appended) appended = append_held_out(held_out, request, tokenizer, *writer);
    if (!appended) return tl::unexpected(std::move(appended.error()));
    if (!vocabulary->new_model.empty())
        if (auto saved = save_model(vocabulary->new_model, *trained_model(request)); !saved)
            return tl::unexpected(saved.error());
    if (tokenizer == nullptr) return writer->finish("tokens", *vocabulary_asked(request.tokenizer));
    return writer->finish(tokenizer->name(), tokenizer->vocabulary());
}

}  // namespace isogrid::data
