#include "data/tokenize.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include <sys/stat.h>

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

using base::Fault;
using base::Faults;
using base::Result;

/// Text that a vocabulary is trained on: enough for its frequent pieces, little enough to take seconds.
constexpr double vocabulary_sample_bytes = 8e6;

constexpr std::string_view training_prefix = "sentencepiece:", tokens_prefix = "tokens:";

bool trains_vocabulary(const TokenizeRequest& request) {
    return request.tokenizer.starts_with(training_prefix);
}

bool takes_tokens(const TokenizeRequest& request) {
    return request.tokenizer.starts_with(tokens_prefix);
}

/// The number behind the colon of a tokenizer, or nothing where it is none.
std::optional<std::int64_t> vocabulary_asked(const std::string& tokenizer) {
    const char* first = tokenizer.data() + tokenizer.find(':') + 1;
    const char* last = tokenizer.data() + tokenizer.size();
    std::int64_t vocabulary = 0;
    const auto [end, error] = std::from_chars(first, last, vocabulary);
    return error == std::errc() && end == last ? std::optional(vocabulary) : std::nullopt;
}

/// All that is read, in the order in which it is named.
std::vector<std::string> all_texts(const TokenizeRequest& request) {
    std::vector<std::string> names = request.texts;
    names.insert(names.end(), request.held_out.begin(), request.held_out.end());
    return names;
}

std::filesystem::path model_path(const TokenizeRequest& request) {
    return std::filesystem::path(request.out).replace_extension(".model");
}

void check_texts(const TokenizeRequest& request, Faults& faults) {
    if (request.texts.empty())
        faults.push_back({"", "no text given", "there is nothing to tokenize",
                          request.held_out.empty() ? "name text files, or - for standard input"
                                                   : "name those to train on before --held-out"});
    if (std::ranges::count(all_texts(request), "-") > 1)
        faults.push_back({"-", "is given twice", "standard input can be read once", "name it once"});
}

void check_place_and_share(const TokenizeRequest& request, Faults& faults) {
    if (request.out.empty())
        faults.push_back(
            {"--out", "no file given", "the tokens need a place", "name one, such as corpus.tok"});
    if (!(request.validation > 0 && request.validation <= 0.5)) {
        std::ostringstream value;
        value << request.validation;
        faults.push_back({"--validation", value.str() + " cannot be used",
                          "it is the part held out: above 0, at most 0.5", "the usual value is 0.01"});
    }
}

void check_vocabulary(const TokenizeRequest& request, std::int64_t smallest, std::string_view what,
                      std::string_view for_example, Faults& faults) {
    const auto vocabulary = vocabulary_asked(request.tokenizer);
    if (!vocabulary || *vocabulary < smallest || *vocabulary > largest_vocabulary)
        faults.push_back({"--tokenizer", request.tokenizer + " cannot be used",
                          "a vocabulary has " + std::to_string(smallest) + " to " +
                              std::to_string(largest_vocabulary) + " " + std::string(what),
                          "write for example " + std::string(for_example)});
}

void check_tokenizer(const TokenizeRequest& request, Faults& faults) {
    if (trains_vocabulary(request))
        check_vocabulary(request, smallest_sentencepiece_vocabulary, "pieces", "sentencepiece:4096", faults);
    else if (takes_tokens(request))
        check_vocabulary(request, 2, "tokens", "tokens:50257", faults);
    else if (request.tokenizer != "bytes" && !request.tokenizer.ends_with(".model"))
        faults.push_back({"--tokenizer", "there is no tokenizer '" + request.tokenizer + "'",
                          "known are bytes, sentencepiece:VOCABULARY, the path of a .model file, and "
                          "tokens:VOCABULARY for texts that are tokens already",
                          "name one of them"});
}

/// Names of one file, by whatever path.
void check_repeated(const std::vector<std::string>& texts, Faults& faults) {
    for (auto text = texts.begin(); text != texts.end(); ++text) {
        const auto same = [&](const std::string& before) {
            std::error_code ignored;
            return std::filesystem::is_regular_file(*text, ignored) &&
                   std::filesystem::equivalent(before, *text, ignored);
        };
        if (std::any_of(texts.begin(), text, same))
            faults.push_back({*text, "is given twice",
                              "what is held out of the one would be trained on in the other",
                              "name it once"});
    }
}

void check_overwrites(const TokenizeRequest& request, Faults& faults) {
    std::vector<std::string> inputs = all_texts(request);
    if (request.tokenizer.ends_with(".model")) inputs.push_back(request.tokenizer);
    std::vector<std::filesystem::path> outputs = {request.out};
    if (trains_vocabulary(request)) {
        outputs.push_back(model_path(request));
        if (outputs[0] == outputs[1])
            faults.push_back({"--out", request.out.string() + " cannot be used",
                              "the vocabulary's model has this name", "name it FILE.tok"});
    }
    for (const std::string& input : inputs)
        for (const std::filesystem::path& output : outputs) {
            std::error_code ignored;
            if (std::filesystem::equivalent(input, output, ignored))
                faults.push_back({input, "would be overwritten", "it is read and written at once",
                                  "give the output another name"});
        }
}

/// What is wrong with the request itself, all of it.
Faults check(const TokenizeRequest& request) {
    Faults faults;
    check_texts(request, faults);
    check_place_and_share(request, faults);
    check_tokenizer(request, faults);
    check_repeated(all_texts(request), faults);
    check_overwrites(request, faults);
    return faults;
}

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

/// Lines of training blocks, spread over the whole of the texts.
Result<std::vector<std::string>> sample_lines(const TokenizeRequest& request,
                                              const std::vector<Text>& texts) {
    double bytes = 0;
    for (const Text& text : texts) {
        struct stat facts {};
        if (::fstat(text.descriptor.get(), &facts) == 0) bytes += static_cast<double>(facts.st_size);
    }
    std::vector<std::string> lines;
    std::int64_t blocks = 0;
    const auto sample = [&](std::string_view block) -> Result<void> {
        const std::int64_t number = blocks++;
        if (part_of_block(request, number) == Part::validation) return {};
        if (chance_of_block(RandomUse::vocabulary_sample, number) * bytes > vocabulary_sample_bytes)
            return {};
        std::istringstream text{std::string(block)};
        for (std::string line; std::getline(text, line);)
            if (!line.empty()) lines.push_back(line);
        return {};
    };
    for (const Text& text : texts) {
        rewind(text);
        if (auto read = for_each_block(text.descriptor, text.name, sample); !read)
            return tl::unexpected(read.error());
    }
    return lines;
}

/// How texts become tokens.
struct Vocabulary {
    std::unique_ptr<Tokenizer> tokenizer;  ///< none where they are tokens already
    std::string new_model;                 ///< the bytes of the tokenizer's model, where it was made just now
};

Result<Vocabulary> make_vocabulary(const TokenizeRequest& request, std::vector<Text>& texts) {
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
    rewind(text);
    if (tokenizer == nullptr)  // nobody knows how many bytes the tokens stand for
        return for_each_token_block(text.descriptor, text.name, *vocabulary_asked(request.tokenizer),
                                    [&](std::span<const Token> tokens) -> Result<void> {
                                        writer.append(next_part(), tokens, 0);
                                        return {};
                                    });
    std::vector<Token> tokens;
    return for_each_block(text.descriptor, text.name, [&](std::string_view block) -> Result<void> {
        const Part part = next_part();
        tokens.clear();
        tokenizer->encode(block, tokens);
        // Losses a byte are of the bytes that are predicted: another's model may drop ends of lines, say.
        const std::size_t bytes = part == Part::validation ? tokenizer->decode(tokens).size() : block.size();
        writer.append(part, tokens, static_cast<std::int64_t>(bytes));
        return {};
    });
}

/// Appends all texts that part_of_block divides.
Result<void> append_divided(const std::vector<Text>& texts, const TokenizeRequest& request,
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
                          std::to_string(held_out) + " of its " + std::to_string(blocks) +
                              " blocks of about " +
                              (tokenizer == nullptr ? std::to_string(block_tokens) + " tokens" : "4 KB") +
                              " fell to validation",
                          "give more text, another --validation, or a text to --held-out");
    return {};
}

/// Appends the texts that are held out whole.
Result<void> append_held_out(const std::vector<Text>& texts, const TokenizeRequest& request,
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
    if (Faults faults = check(request); !faults.empty()) return tl::unexpected(std::move(faults));
    auto texts = open_texts(request.texts);
    if (!texts) return tl::unexpected(std::move(texts.error()));
    const auto held_out = open_texts(request.held_out);
    if (!held_out) return tl::unexpected(held_out.error());
    auto writer = TokenWriter::create(request.out);
    if (!writer) return tl::unexpected(std::move(writer.error()));
    const auto vocabulary = make_vocabulary(request, *texts);
    if (!vocabulary) return tl::unexpected(vocabulary.error());

    const Tokenizer* tokenizer = vocabulary->tokenizer.get();
    auto appended = append_divided(*texts, request, tokenizer, *writer);
    if (appended) appended = append_held_out(*held_out, request, tokenizer, *writer);
    if (!appended) return tl::unexpected(std::move(appended.error()));
    if (!vocabulary->new_model.empty())
        if (auto saved = save_model(vocabulary->new_model, model_path(request)); !saved)
            return tl::unexpected(saved.error());
    if (tokenizer == nullptr) return writer->finish("tokens", *vocabulary_asked(request.tokenizer));
    return writer->finish(tokenizer->name(), tokenizer->vocabulary());
}

std::optional<std::filesystem::path> trained_model(const TokenizeRequest& request) {
    if (!trains_vocabulary(request)) return std::nullopt;
    return model_path(request);
}

}  // namespace isogrid::data
