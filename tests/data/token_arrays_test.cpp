// Tokens of other programs: the files that NumPy, llm.c and nanoGPT write, and the same damaged.
#include "data/token_arrays.hpp"

#include <fcntl.h>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/npy.hpp"
#include "scratch_folder.hpp"

namespace isogrid::data {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

/// A number as it stands in a file, low byte first.
std::string little(std::uint64_t value, std::size_t bytes) {
    std::string text;
    for (std::size_t byte = 0; byte < bytes; ++byte)
        text += static_cast<char>(value >> (8 * byte) & 0xff);
    return text;
}

std::string all_little(const std::vector<std::uint64_t>& values, std::size_t bytes) {
    std::string text;
    for (const std::uint64_t value : values)
        text += little(value, bytes);
    return text;
}

/// As numpy.save writes it; `version` 2 has the dictionary's length in 32 bits.
std::string array_file(const std::string& kind, const std::string& shape, const std::string& values,
                       const std::string& fortran_order = "False", int version = 1) {
    std::string dictionary =
        "{'descr': '" + kind + "', 'fortran_order': " + fortran_order + ", 'shape': " + shape + ", }";
    dictionary.resize(117, ' ');
    dictionary += '\n';
    return std::string("\x93NUMPY") + static_cast<char>(version) + '\0' +
           little(dictionary.size(), version == 1 ? 2 : 4) + dictionary + values;
}

std::string llmc_file(std::uint64_t magic, std::uint64_t count, const std::string& values) {
    std::string header = little(magic, 4) + little(1, 4) + little(count, 4);
    header.resize(1024, '\0');
    return header + values;
}

/// The sizes of the blocks and all tokens.
struct ReadTokens {
    std::vector<std::size_t> blocks;
    std::vector<Token> tokens;
};

base::Result<ReadTokens> read(const std::string& bytes, std::int64_t vocabulary = 50257) {
    const ScratchFolder folder;
    write_all(folder / "tokens", bytes);
    ReadTokens all;
    return for_each_token_block(files::Descriptor(::open((folder / "tokens").c_str(), O_RDONLY)), "tokens",
                                vocabulary,
                                [&](std::span<const Token> block) -> base::Result<void> {
                                    all.blocks.push_back(block.size());
                                    all.tokens.insert(all.tokens.end(), block.begin(), block.end());
                                    return {};
                                })
        .map([&] { return all; });
}

std::string fault_of(const std::string& bytes, std::int64_t vocabulary = 50257) {
    const auto result = read(bytes, vocabulary);
    return result ? "no fault" : base::to_string(result.error());
}

const std::vector<std::uint64_t> some = {5, 0, 50256, 17};
const std::vector<Token> some_tokens = {5, 0, 50256, 17};

TEST(TokenArrays, areBareNumbersOfSixteenBits) {
    EXPECT_THAT(read(all_little(some, 2))->tokens, ElementsAreArray(some_tokens));
    EXPECT_TRUE(read("")->tokens.empty());
}

TEST(TokenArrays, areArraysOfAnyKindOfInteger) {
    for (const auto& [kind, bytes] : std::vector<std::pair<std::string, std::size_t>>{
             {"<u2", 2}, {"<i4", 4}, {"<u4", 4}, {"<i8", 8}, {"<u8", 8}})
        EXPECT_THAT(read(array_file(kind, "(4,)", all_little(some, bytes)))->tokens,
                    ElementsAreArray(some_tokens))
            << kind;
    EXPECT_THAT(read(array_file("|u1", "(3,)", "abc"))->tokens, ElementsAre('a', 'b', 'c'));
    EXPECT_THAT(read(array_file("<i2", "(2,)", all_little({1, 32767}, 2)))->tokens, ElementsAre(1, 32767));
    EXPECT_THAT(read(array_file("<u2", "(4,)", all_little(some, 2), "False", 2))->tokens,
                ElementsAreArray(some_tokens));
}

TEST(TokenArrays, areReadRowByRow) {
    EXPECT_THAT(read(array_file("<u2", "(2, 2)", all_little(some, 2)))->tokens,
                ElementsAreArray(some_tokens));
    EXPECT_THAT(fault_of(array_file("<u2", "(2, 2)", all_little(some, 2), "True")),
                HasSubstr("it is stored column by column"));
}

TEST(TokenArrays, areWhatOurOwnBatchesAreWrittenAs) {
    const ScratchFolder folder;
    ASSERT_TRUE(write_npy(folder / "a.npy", some_tokens, std::vector<std::int64_t>{2, 2}));
    EXPECT_THAT(read(read_all(folder / "a.npy"))->tokens, ElementsAreArray(some_tokens));
}

TEST(TokenArrays, areFilesOfLlmC) {
    EXPECT_THAT(read(llmc_file(20240520, 4, all_little(some, 2)))->tokens, ElementsAreArray(some_tokens));
    EXPECT_THAT(read(llmc_file(20240801, 4, all_little(some, 4)))->tokens, ElementsAreArray(some_tokens));
}

TEST(TokenArrays, comeInBlocks) {
    std::vector<std::uint64_t> many(2 * block_tokens + 7);
    for (std::size_t at = 0; at < many.size(); ++at)
        many[at] = at;
    for (const std::string& file :
         {all_little(many, 2), llmc_file(20240801, many.size(), all_little(many, 4))}) {
        const auto all = read(file);
        ASSERT_TRUE(all);
        EXPECT_THAT(all->blocks, ElementsAre(block_tokens, block_tokens, 7));
        EXPECT_TRUE(std::equal(all->tokens.begin(), all->tokens.end(), many.begin(), many.end()));
    }
}

TEST(TokenArrays, ofAnotherVocabularyAreRefusedWithTheirPlace) {
    EXPECT_THAT(
        fault_of(all_little(some, 2), 50256),
        HasSubstr("tokens: holds a token outside of the vocabulary (50256 at place 2, counted from 0; the "
                  "vocabulary has 50256)"));
    EXPECT_THAT(fault_of(array_file("<i4", "(1,)", little(0xffffffff, 4))), HasSubstr("(-1 at place 0"));
    EXPECT_THAT(fault_of(array_file("<u8", "(1,)", little(~0ULL, 8))),
                HasSubstr("outside of the vocabulary"));
}

TEST(TokenArrays, whoseLengthIsNotThatOfTheirHeaderAreDamaged) {
    EXPECT_THAT(fault_of(array_file("<u2", "(5,)", all_little(some, 2))),
                HasSubstr("is damaged (its header promises 5 tokens, behind it are 4)"));
    EXPECT_THAT(fault_of(llmc_file(20240520, 3, all_little(some, 2))), HasSubstr("promises 3 tokens"));
    EXPECT_THAT(fault_of(llmc_file(20240520, 3, "").substr(0, 800), 65536),
                HasSubstr("it ends within the header of llm.c"));
    EXPECT_THAT(fault_of(all_little(some, 2) + "x"), HasSubstr("it ends within a number of 16 bits"));
    EXPECT_THAT(fault_of(array_file("<u4", "(4,)", all_little(some, 4) + "x")),
                HasSubstr("it ends within a number of 32 bits"));
}

TEST(TokenArrays, thatAreNoIntegersAreRefused) {
    for (const char* kind : {"<f4", ">u2", "<u3", "|b1", "<M8[ns]", ""})
        EXPECT_THAT(fault_of(array_file(kind, "(4,)", all_little(some, 4))),
                    HasSubstr("its numbers are no little-endian integers"))
            << kind;
}

TEST(TokenArrays, areNoText) {
    const std::string text = "The texts are tokens already, says who asks for this, and is mistaken.\n";
    EXPECT_THAT(fault_of(text + text), HasSubstr("tokens: holds text, not tokens"));
    EXPECT_THAT(read(std::string(40, 'a'))->tokens.size(), 20);  // which may be
}

TEST(TokenArrays, whoseHeaderIsBrokenAreRefused) {
    const std::string whole = array_file("<u2", "(4,)", all_little(some, 2));
    for (std::size_t length = 6; length < 128; ++length)
        EXPECT_THAT(fault_of(whole.substr(0, length)), HasSubstr("is no array of NumPy that can be read"));
    for (const char* shape : {"", "4", "(4", "(x,)", "(-4,)", "(4611686018427387904, 4)"})
        EXPECT_THAT(fault_of(array_file("<u2", shape, "")), HasSubstr("its header states no shape")) << shape;
    EXPECT_THAT(fault_of(array_file("<u2", "(4,)", "", "False", 9)), HasSubstr("another version"));
    EXPECT_THAT(fault_of(std::string("\x93NUMPY\x02\0", 8) + little(0xffffffff, 4) + std::string(2000, ' ')),
                HasSubstr("longer than any"));
}

}  // namespace
}  // namespace isogrid::data
