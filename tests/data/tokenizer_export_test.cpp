// What Hugging Face's AutoTokenizer finds beside an exported model.
#include "data/tokenizer_export.hpp"

#include <sentencepiece_trainer.h>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "data/sample_text.hpp"
#include "data/tokenizer.hpp"
#include "scratch_folder.hpp"

namespace isogrid::data {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::vector<std::string> lines() {
    std::vector<std::string> lines;
    for (int number = 0; number < 300; ++number)
        lines.push_back(sample_paragraph(number));
    return lines;
}

TEST(TokenizerExport, ofBytesIsAByteLevelVocabulary) {
    const ScratchFolder folder;
    ASSERT_TRUE(export_byte_tokenizer(folder.path(), 128));
    const json tokenizer = json::parse(read_all(folder / "tokenizer.json"));
    const json& vocabulary = tokenizer["model"]["vocab"];
    std::set<int> bytes;
    for (const auto& [letter, byte] : vocabulary.items())
        bytes.insert(byte.get<int>());
    EXPECT_EQ(bytes.size(), 256u);
    EXPECT_EQ(*bytes.rbegin(), 255);
    // Letters of GPT-2's vocabulary: a for itself, G with a dot for a space, C with a dot for a line's end.
    EXPECT_EQ(vocabulary["a"], 'a');
    EXPECT_EQ(vocabulary["\u0120"], ' ');
    EXPECT_EQ(vocabulary["\u010A"], '\n');
    EXPECT_EQ(vocabulary["\u00ff"], 255);
    EXPECT_EQ(vocabulary["\u0143"], 173);  // the last that is not printable, a soft hyphen
    EXPECT_EQ(json::parse(read_all(folder / "tokenizer_config.json"))["model_max_length"], 128);
}

TEST(TokenizerExport, ofAVocabularyOfOursIsItsModelAndHowToUseIt) {
    const ScratchFolder folder;
    const std::string model = train_sentencepiece(lines(), 400).value();
    const auto is_as_it_was = export_sentencepiece_tokenizer(model, "a.model", folder.path(), 128);
    ASSERT_TRUE(is_as_it_was);
    EXPECT_TRUE(*is_as_it_was);
    EXPECT_EQ(read_all(folder / "tokenizer.model"), model);
    const json config = json::parse(read_all(folder / "tokenizer_config.json"));
    EXPECT_EQ(config["add_prefix_space"], false);
    EXPECT_EQ(config["add_bos_token"], false);
}

TEST(TokenizerExport, ofAModelThatChangesTextIsTheModelAlone) {
    for (const auto& [option, value] :
         std::vector<std::pair<std::string, std::string>>{{"add_dummy_prefix", "true"},
                                                          {"remove_extra_whitespaces", "true"},
                                                          {"normalization_rule_name", "nfkc"}}) {
        const ScratchFolder scratch, folder;
        write_all(scratch / "text", sample_text(300));
        std::unordered_map<std::string, std::string> options = {
            {"input", scratch / "text"},   {"model_type", "bpe"},
            {"vocab_size", "400"},         {"normalization_rule_name", "identity"},
            {"add_dummy_prefix", "false"}, {"remove_extra_whitespaces", "false"},
            {"byte_fallback", "true"},     {"minloglevel", "4"}};
        options[option] = value;
        std::string model;
        ASSERT_TRUE(sentencepiece::SentencePieceTrainer::Train(options, nullptr, &model).ok());
        EXPECT_FALSE(export_sentencepiece_tokenizer(model, "a.model", folder.path(), 128).value()) << option;
        EXPECT_EQ(folder.entries(), 1);
    }
}

TEST(TokenizerExport, refusesWhatIsNoModel) {
    const ScratchFolder folder;
    const auto refused = export_sentencepiece_tokenizer("a text", "a.model", folder.path(), 128);
    ASSERT_FALSE(refused);
    EXPECT_THAT(base::to_string(refused.error()), HasSubstr("a.model: is not a SentencePiece model"));
    EXPECT_EQ(folder.entries(), 0);
}

}  // namespace
}  // namespace isogrid::data
