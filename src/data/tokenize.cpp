#include "data/tokenize.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <unistd.h>
#include <utility>

#include <sys/stat.h>

#include "data/random.hpp"
#include "data/text_blocks.hpp"
#include "data/token_format.hpp"
#include "data/token_writer.hpp"
#include "data/tokenizer.hpp"
#include "files/descriptor.hpp"
#include "files/new_file.hpp"

namespace isogrid::data {

namespace {

using base::Fault;
using base::Faults;
using base::Result;

/// Text that a vocabulary is trained on: enough for its frequent pieces, little enough to take seconds.
constexpr double vocabulary_sample_bytes = 8e6;

constexpr std::string_view vocabulary_prefix = "sentencepiece:";

/// A text, open for reading.
struct Text {
    std::string name;  ///< as the user gave it
    files::Descriptor descriptor;
    off_t start = 0;  ///< where it begins; negative where it can be read only once, such as a pipe
};

/// The number after `sentencepiece:`, or nothing where it is none.
std::optional<std::int64_t> vocabulary_asked(const std::string& tokenizer) {
    const char* first = tokenizer.data() + vocabulary_prefix.size();
    const char* last = tokenizer.data() + tokenizer.size();
    std::int64_t vocabulary = 0;
    const auto [end, error] = std::from_chars(first, last, vocabulary);
    return error == std::errc() && end == last ? std::optional(vocabulary) : std::nullopt;
}

bool trains_vocabulary(const TokenizeRequest& request) {
    return request.tokenizer.starts_with(vocabulary_prefix);
}

std::filesystem::path model_path(const TokenizeRequest& request) {
    return std::filesystem::path(request.out).replace_extension(".model");
}

void check_texts(const std::vector<std::string>& texts, Faults& faults) {
    if (texts.empty())
        faults.push_back({"", "no text given", "there is nothing to tokenize",
                          "name text files, or - for standard input"});
    if (std::ranges::count(texts, "-") > 1)
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

void check_tokenizer(const TokenizeRequest& request, Faults& faults) {
    if (trains_vocabulary(request)) {
        const auto vocabulary = vocabulary_asked(request.tokenizer);
        if (!vocabulary || *vocabulary < smallest_sentencepiece_vocabulary ||
            *vocabulary > largest_vocabulary)
            faults.push_back({"--tokenizer", request.tokenizer + " cannot be used",
                              "a vocabulary has " + std::to_string(smallest_sentencepiece_vocabulary) +
                                  " to " + std::to_string(largest_vocabulary) + " pieces",
                              "write for example sentencepiece:4096"});
    } else if (request.tokenizer != "bytes" && !request.tokenizer.ends_with(".model")) {
        faults.push_back({"--tokenizer", "there is no tokenizer '" + request.tokenizer + "'",
                          "known are bytes, sentencepiece:VOCABULARY and the path of a .model file",
                          "name one of them"});
    }
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
    std::vector<std::string> inputs = request.texts;
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
    check_texts(request.texts, faults);
    check_place_and_share(request, faults);
    check_tokenizer(request, faults);
    check_repeated(request.texts, faults);
    check_overwrites(request, faults);
    return faults;
}

/// Opens every text, so that a missing one is told before any work is done.
Result<std::vector<Text>> open_texts(const std::vector<std::string>& names) {
    std::vector<Text> texts;
    Faults faults;
    for (const std::string& name : names) {
        std::error_code ignored;
        if (std::filesystem::is_directory(name, ignored)) {
            faults.push_back({name, "cannot be read", "it is a folder", "name the files in it"});
            continue;
        }
        files::Descriptor opened(name == "-" ? ::dup(STDIN_FILENO)
                                             : ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
        if (!opened) {
            const char* action = errno == EACCES ? "check its permissions" : "check its name";
            faults.push_back({name, "cannot be read", std::strerror(errno), action});
            continue;
        }
        const off_t start = ::lseek(opened.get(), 0, SEEK_CUR);
        texts.push_back({name, std::move(opened), start});
    }
    if (!faults.empty()) return tl::unexpected(std::move(faults));
    return texts;
}

/// Makes a text that can be read only once readable again: copies it beside the output, into a file that is
/// gone from its folder at once and from the disk when it is closed.
Result<void> make_rereadable(Text& text, const std::filesystem::path& out) {
    if (text.start >= 0) return {};
    auto copy = files::NewFile::create(out);
    if (!copy) return tl::unexpected(std::move(copy.error()));
    const auto copied =
        for_each_block(text.descriptor, text.name, [&](std::string_view block) -> Result<void> {
            copy->write(block);
            return {};
        });
    text.descriptor = files::Descriptor(::open(copy->temporary_path().c_str(), O_RDONLY | O_CLOEXEC));
    text.start = 0;
    return copied;
}

using UseBlock = std::function<Result<void>(std::int64_t number, std::string_view block)>;

/// The blocks of all texts, numbered through.
Result<void> for_each_block_of(const std::vector<Text>& texts, const UseBlock& use) {
    std::int64_t number = 0;
    for (const Text& text : texts) {
        if (text.start >= 0) ::lseek(text.descriptor.get(), text.start, SEEK_SET);
        const auto read = for_each_block(text.descriptor, text.name,
                                         [&](std::string_view block) { return use(number++, block); });
        if (!read) return read;
    }
    return {};
}

double chance_of_block(RandomUse use, std::int64_t number) {
    return uniform(random_words(0, use, 0, static_cast<std::uint64_t>(number))[0]);
}

Part part_of_block(std::int64_t number, double validation) {
    const bool held_out = chance_of_block(RandomUse::validation_blocks, number) < validation;
    return held_out ? Part::validation : Part::training;
}

/// Lines of training blocks, spread over the whole of the texts.
Result<std::vector<std::string>> sample_lines(const std::vector<Text>& texts, double validation) {
    double bytes = 0;
    for (const Text& text : texts) {
        struct stat facts {};
        if (::fstat(text.descriptor.get(), &facts) == 0) bytes += static_cast<double>(facts.st_size);
    }
    std::vector<std::string> lines;
    const auto read =
        for_each_block_of(texts, [&](std::int64_t number, std::string_view block) -> Result<void> {
            if (part_of_block(number, validation) == Part::validation) return {};
            if (chance_of_block(RandomUse::vocabulary_sample, number) * bytes > vocabulary_sample_bytes)
                return {};
            std::istringstream text{std::string(block)};
            for (std::string line; std::getline(text, line);)
                if (!line.empty()) lines.push_back(line);
            return {};
        });
    if (!read) return tl::unexpected(read.error());
    return lines;
}

/// A tokenizer, and the bytes of its model where it was made just now.
struct Vocabulary {
    std::unique_ptr<Tokenizer> tokenizer;
    std::string new_model;
};

Result<Vocabulary> make_vocabulary(const TokenizeRequest& request, std::vector<Text>& texts) {
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
    return sample_lines(texts, request.validation)
        .and_then([&](const std::vector<std::string>& lines) {
            return train_sentencepiece(lines, *vocabulary_asked(request.tokenizer));
        })
        .and_then([&](const std::string& model) {
            return make_sentencepiece_tokenizer(model, "--tokenizer").map(with_model(model));
        });
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
    auto writer = TokenWriter::create(request.out);
    if (!writer) return tl::unexpected(std::move(writer.error()));
    const auto vocabulary = make_vocabulary(request, *texts);
    if (!vocabulary) return tl::unexpected(vocabulary.error());

    std::int64_t blocks = 0, held_out = 0;
    std::vector<Token> tokens;
    const auto read =
        for_each_block_of(*texts, [&](std::int64_t number, std::string_view block) -> Result<void> {
            const Part part = part_of_block(number, request.validation);
            ++blocks;
            held_out += part == Part::validation;
            tokens.clear();
            vocabulary->tokenizer->encode(block, tokens);
            // Losses a byte are of the bytes that are predicted: another's model may drop ends of lines, say.
            const std::size_t bytes =
                part == Part::validation ? vocabulary->tokenizer->decode(tokens).size() : block.size();
            writer->append(part, tokens, static_cast<std::int64_t>(bytes));
            return {};
        });
    if (!read) return tl::unexpected(read.error());
    if (blocks == 0)
        return base::fail(request.texts.front(), "holds no text", "there is nothing to tokenize",
                          "give another text");
    if (held_out == 0 || held_out == blocks)
        return base::fail(request.texts.front(), "is too short to hold a part of it out",
                          std::to_string(held_out) + " of its " + std::to_string(blocks) +
                              " blocks of about 4 KB fell to validation",
                          "give more text, or another --validation");
    if (!vocabulary->new_model.empty())
        if (auto saved = save_model(vocabulary->new_model, model_path(request)); !saved)
            return tl::unexpected(saved.error());
    return writer->finish(vocabulary->tokenizer->name(), vocabulary->tokenizer->vocabulary());
}

std::optional<std::filesystem::path> trained_model(const TokenizeRequest& request) {
    if (!trains_vocabulary(request)) return std::nullopt;
    return model_path(request);
}

}  // namespace isogrid::data
