// Blocks are whole paragraphs, and together they are the text.
#include "data/text_blocks.hpp"

#include <fcntl.h>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scratch_folder.hpp"

namespace isogrid::data {
namespace {

std::vector<std::string> blocks_of(const std::string& text) {
    const ScratchFolder folder;
    write_all(folder / "text", text);
    std::vector<std::string> blocks;
    const auto read = for_each_block(files::Descriptor(::open((folder / "text").c_str(), O_RDONLY)), "text",
                                     [&](std::string_view block) -> base::Result<void> {
                                         blocks.emplace_back(block);
                                         return {};
                                     });
    EXPECT_TRUE(read);
    std::string together;
    for (const std::string& block : blocks)
        together += block;
    EXPECT_TRUE(together == text);
    return blocks;
}

std::vector<std::size_t> sizes(const std::vector<std::string>& blocks) {
    std::vector<std::size_t> sizes;
    for (const std::string& block : blocks)
        sizes.push_back(block.size());
    return sizes;
}

using testing::ElementsAre;

TEST(TextBlocks, areNoneOfAnEmptyText) {
    EXPECT_TRUE(blocks_of("").empty());
}

TEST(TextBlocks, areOneOfAShortText) {
    EXPECT_EQ(blocks_of("one\n\ntwo").size(), 1u);
}

TEST(TextBlocks, endBehindTheFirstBlankLineAfterFourKilobytes) {
    const std::string paragraph(1500, 'a'), blank = "\n\n";
    const auto blocks = blocks_of(paragraph + blank + paragraph + blank + paragraph + blank + "the next\n");
    EXPECT_THAT(sizes(blocks), ElementsAre(3 * 1502, 9));
    EXPECT_EQ(blocks[1], "the next\n");
}

TEST(TextBlocks, keepSeveralBlankLinesTogether) {
    const std::string paragraph(5000, 'a');
    EXPECT_EQ(blocks_of(paragraph + "\n\n\n\nnext").back(), "next");
    EXPECT_EQ(blocks_of(paragraph + "\r\n\r\n\r\nnext").back(), "next");  // lines of Windows
    EXPECT_EQ(blocks_of(paragraph + "\n\n\n").size(), 1u);
}

TEST(TextBlocks, goOnAcrossSimpleLineEnds) {
    EXPECT_EQ(blocks_of(std::string(5000, 'a') + "\nline\n" + std::string(5000, 'b')).size(), 1u);
}

TEST(TextBlocks, ofATextWithoutBlankLinesEndWithALine) {
    std::string text;
    for (int line = 0; line < 10'000; ++line)
        text += "0123456789012345678\n";
    EXPECT_THAT(sizes(blocks_of(text)), ElementsAre(65520, 65520, 65520, 3440));  // whole lines of 20 bytes
}

TEST(TextBlocks, ofATextWithoutLinesDoNotCutCharacters) {
    std::string text = "a";
    for (int i = 0; i < 50'000; ++i)
        text += "\xe2\x82\xac";  // a euro sign, three bytes
    for (const std::string& block : blocks_of(text))
        EXPECT_NE(static_cast<unsigned char>(block[0]) & 0xC0, 0x80);
    EXPECT_EQ(blocks_of(std::string(65536, '\x80')).size(), 1u);  // no characters at all: cut anywhere
    EXPECT_EQ(blocks_of(std::string(70'000, '\x80')).size(), 2u);
}

TEST(TextBlocks, comeAlikeHoweverLongTheText) {  // longer than one read
    std::string text;
    for (int paragraph = 0; paragraph < 30'000; ++paragraph)
        text +=
            "paragraph " + std::to_string(paragraph) + " of one hundred bytes or so, that is, rather few\n\n";
    const auto blocks = blocks_of(text);
    for (std::size_t i = 0; i + 1 < blocks.size(); ++i) {
        EXPECT_TRUE(blocks[i].starts_with("paragraph "));
        EXPECT_TRUE(blocks[i].ends_with("few\n\n"));
        EXPECT_GE(blocks[i].size(), usual_block_bytes);
        EXPECT_LE(blocks[i].size(), usual_block_bytes + 100);
    }
}

TEST(TextBlocks, stopAtTheFirstFault) {
    const ScratchFolder folder;
    write_all(folder / "text", std::string(200'000, 'a'));
    int calls = 0;
    const auto read = for_each_block(files::Descriptor(::open((folder / "text").c_str(), O_RDONLY)), "text",
                                     [&](std::string_view) -> base::Result<void> {
                                         ++calls;
                                         return base::fail("here", "stop", "", "");
                                     });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error()[0].where, "here");
    EXPECT_EQ(calls, 1);
}

TEST(TextBlocks, ofSomethingUnreadableAreAFault) {
    const auto read = for_each_block(files::Descriptor(::open("/", O_RDONLY)), "/",
                                     [](std::string_view) { return base::Result<void>(); });
    ASSERT_FALSE(read);
    EXPECT_EQ(base::to_string(read.error()[0]), "/: cannot be read (Is a directory) name a text file");
}

}  // namespace
}  // namespace isogrid::data
