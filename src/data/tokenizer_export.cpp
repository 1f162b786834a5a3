#include "data/tokenizer_export.hpp"

#include <vector>

#include <nlohmann/json.hpp>

#include "data/tokenizer.hpp"
#include "files/new_file.hpp"

namespace isogrid::data {

namespace {

using base::Result;
using json = nlohmann::ordered_json;

/// The letter that stands for a byte in byte-level vocabularies (GPT-2's bytes_to_unicode): the byte's own
/// where it is printable, else the next from U+0100 on. All lie below U+0800, two bytes of UTF-8 at most.
std::vector<std::string> letters_of_bytes() {
    std::vector<std::string> letters;
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const bool is_printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
        const unsigned letter = is_printable ? byte : next++;
        if (letter < 0x80)
            letters.push_back({static_cast<char>(letter)});
        else
            letters.push_back(
                {static_cast<char>(0xc0 | letter >> 6), static_cast<char>(0x80 | (letter & 0x3f))});
    }
    return letters;
}

Result<void> write_json(const std::filesystem::path& path, const json& value) {
    auto file = files::NewFile::create(path);
    if (!file) return tl::unexpected(std::move(file.error()));
    file->write(value.dump(2) + "\n");
    file->commit();
    return {};
}

/// Nothing is changed, dropped or put in front.
bool leaves_text_as_it_is(const Tokenizer& tokenizer) {
    const std::string text = "  two  spaces, a tab\tand\n\nlines \xef\xac\x81 \n";  // U+FB01, a ligature
    std::vector<Token> tokens, pieces;
    tokenizer.encode(text, tokens);
    tokenizer.encode("a", pieces);
    tokenizer.encode("b", pieces);
    return tokenizer.decode(tokens) == text && tokenizer.decode(pieces) == "ab";
}

}  // namespace

Result<void> export_byte_tokenizer(const std::filesystem::path& folder, std::int64_t context) {
    json vocabulary;
    int byte = 0;
    for (const std::string& letter : letters_of_bytes())
        vocabulary[letter] = byte++;
    const json byte_level = {
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
    const json model = {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", json::array()}};
    const json tokenizer = {{"version", "1.0"},
                            {"added_tokens", json::array()},
                            {"normalizer", nullptr},
                            {"pre_tokenizer", byte_level},
                            {"post_processor", nullptr},
                            {"decoder", byte_level},
                            {"model", model}};
    const json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                         {"clean_up_tokenization_spaces", false},
                         {"model_max_length", context}};
    auto written = write_json(folder / "tokenizer.json", tokenizer);
    return written ? write_json(folder / "tokenizer_config.json", config) : written;
}

Result<bool> export_sentencepiece_tokenizer(const std::string& model, const std::string& where,
                                            const std::filesystem::path& folder, std::int64_t context) {
    const auto tokenizer = make_sentencepiece_tokenizer(model, where);
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    auto file = files::NewFile::create(folder / "tokenizer.model");
    if (!file) return tl::unexpected(std::move(file.error()));
    file->write(model);
    file->commit();
    if (!leaves_text_as_it_is(**tokenizer)) return false;
    const json config = {{"tokenizer_class", "LlamaTokenizer"},
                         {"add_bos_token", false},
                         {"add_eos_token", false},
                         {"add_prefix_space", false},
                         {"legacy", false},
                         {"clean_up_tokenization_spaces", false},
                         {"model_max_length", context}};
    return write_json(folder / "tokenizer_config.json", config).map([] { return true; });
}

}  // namespace isogrid::data
