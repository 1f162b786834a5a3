// What is encoded comes back, and a vocabulary cannot be made where there is too little text for it.
#include "data/tokenizer.hpp"

#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "data/sample_text.hpp"
#include "scratch_folder.hpp"

namespace isogrid::data {
namespace {

using testing::HasSubstr;

std::vector<std::string> sample_lines() {
    std::istringstream text(sample_text(300));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);)
        if (!line.empty()) lines.push_back(line);
    return lines;
}

std::unique_ptr<Tokenizer> trained_tokenizer() {
    return make_sentencepiece_tokenizer(train_sentencepiece(sample_lines(), 400).value(), "test").value();
}

std::vector<Token> encoded(const Tokenizer& tokenizer, const std::string& text) {
    std::vector<Token> tokens;
    tokenizer.encode(text, tokens);
    return tokens;
}

std::string there_and_back(const Tokenizer& tokenizer, const std::string& text) {
    return tokenizer.decode(encoded(tokenizer, text));
}

TEST(ByteTokenizer, givesBackAnyBytes) {
    const auto tokenizer = make_byte_tokenizer();
    std::string all;
    for (int byte = 0; byte < 256; ++byte)
        all += static_cast<char>(byte);
    EXPECT_EQ(there_and_back(*tokenizer, all), all);
    EXPECT_EQ(encoded(*tokenizer, "\xff"), std::vector<Token>{255});
    EXPECT_EQ(tokenizer->vocabulary(), 256);
    EXPECT_EQ(tokenizer->name(), "bytes");
}

TEST(SentencePieceTokenizer, givesBackAnyText) {
    const auto tokenizer = trained_tokenizer();
    for (const std::string text :
         {"the law of the grid", "  two  spaces, and at the end  ", "lines\nand\n\nblank lines\n",
          "\ttab\r\n", " ", "letters it never saw: caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x8c\x8d",
          "1234567890", ""})
        EXPECT_EQ(there_and_back(*tokenizer, text), text);
    const std::string with_zero("a\0b", 3);
    EXPECT_EQ(there_and_back(*tokenizer, with_zero), with_zero);
}

TEST(SentencePieceTokenizer, changesOnlyItsOwnMarkAndWhatIsNoText) {
    const auto tokenizer = trained_tokenizer();
    EXPECT_EQ(there_and_back(*tokenizer, "a\xe2\x96\x81z"), "a z");
    EXPECT_EQ(there_and_back(*tokenizer, "a\xffz"), "a\xef\xbf\xbdz");
}

TEST(SentencePieceTokenizer, needsFewerTokensThanBytes) {
    const auto tokenizer = trained_tokenizer();
    const std::string text = sample_text(10);
    const auto tokens = encoded(*tokenizer, text);
    EXPECT_LT(2 * tokens.size(), text.size());
    EXPECT_EQ(tokenizer->vocabulary(), 400);
    EXPECT_LT(*std::ranges::max_element(tokens), 400);
}

TEST(SentencePieceTokenizer, addsBehindTokensThatAreThere) {
    const auto tokenizer = trained_tokenizer();
    std::vector<Token> tokens = {7};
    tokenizer->encode("the", tokens);
    EXPECT_EQ(tokens.front(), 7);
    EXPECT_GT(tokens.size(), 1u);
}

TEST(TrainSentencepiece, givesTheSameModelEveryTimeAndIsSilent) {
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    const auto first = train_sentencepiece(sample_lines(), 400);
    const auto second = train_sentencepiece(sample_lines(), 400);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(*first == *second);
}

std::string why_not(const std::vector<std::string>& lines, std::int64_t vocabulary) {
    testing::internal::CaptureStderr();
    const auto model = train_sentencepiece(lines, vocabulary);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    return model ? "no fault" : base::to_string(model.error());
}

TEST(TrainSentencepiece, saysWhyAVocabularyCannotBeMade) {
    EXPECT_THAT(
        why_not({"a few words"}, 4096),
        HasSubstr(
            "--tokenizer: a vocabulary of 4096 cannot be made from this text (this text is enough for"));
    EXPECT_THAT(why_not({}, 400), HasSubstr("the text has no usable line"));
    std::string letters;  // 500 letters need 500 pieces
    for (int letter = 0; letter < 500; ++letter)
        letters += {static_cast<char>(0xE4 + letter / 4096), static_cast<char>(0xB8 + letter / 64),
                    static_cast<char>(0x80 + letter % 64)};
    EXPECT_THAT(why_not({letters}, 400), HasSubstr("the letters of this text and the 256 bytes alone are 7"));
}

TEST(LoadSentencepiece, readsASavedModel) {
    const ScratchFolder folder;
    const std::string model = train_sentencepiece(sample_lines(), 400).value();
    write_all(folder / "a.model", model);
    const auto loaded = load_sentencepiece_tokenizer(folder / "a.model");
    ASSERT_TRUE(loaded);
    EXPECT_EQ((*loaded)->name(), "sentencepiece:" + base::sha256(model));
    EXPECT_EQ(encoded(**loaded, "the law"), encoded(*trained_tokenizer(), "the law"));
}

TEST(LoadSentencepiece, refusesWhatIsNoModel) {
    const ScratchFolder folder;
    write_all(folder / "empty.model", "");
    write_all(folder / "text.model", "this is not a model");
    testing::internal::CaptureStderr();
    for (const auto& name : {"empty.model", "text.model"}) {
        const auto loaded = load_sentencepiece_tokenizer(folder / name);
        ASSERT_FALSE(loaded);
        EXPECT_THAT(base::to_string(loaded.error()), HasSubstr(".model: is not a SentencePiece model"));
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    const auto missing = load_sentencepiece_tokenizer(folder / "none.model");
    ASSERT_FALSE(missing);
    EXPECT_THAT(base::to_string(missing.error()), HasSubstr("none.model: cannot be read (No such file"));
}

TEST(SentencePieceModel, withAZeroInsideAPieceIsRefused) {
    // Found by libFuzzer: four pieces, the last of them two zeros and more.
    const char bytes[] =
        "\012\016\012\005\074\165\156\153\076\025\000\000\000\000\030\002\012\014\012\003\074\163"
        "\076\025\000\000\000\000\030\003\012\015\012\004\074\057\163\076\025\000\000\000\000\030"
        "\003\012\017\012\006\000\000\006\074\060\170\065\104\076\020\000\030\000\040\000";
    const auto read = make_sentencepiece_tokenizer(std::string(bytes, sizeof bytes - 1), "odd.model");
    ASSERT_FALSE(read);
    EXPECT_NE(base::to_string(read.error()).find("odd.model: is not a SentencePiece model"),
              std::string::npos);
}

}  // namespace
}  // namespace isogrid::data
