#include <fcntl.h>

#include <gtest/gtest.h>

#include "program/console.hpp"
#include "program/paragraph.hpp"
#include "program/quantities.hpp"
#include "program/table.hpp"
#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::program;

namespace {

TEST(Console, takesTheLiveLineAwayForALineThatStaysAndAtTheEnd) {
    const ScratchFolder folder;
    {
        Console console(open((folder / "terminal").c_str(), O_WRONLY | O_CREAT, 0600), true, true);
        console.rewrite("1/2 done");
        console.line("t0 failed");
        console.rewrite("2/2 done");
    }
    EXPECT_EQ(read_all(folder / "terminal"),
              "\r1/2 done\x1b[K\r\x1b[Kt0 failed\n\r1/2 done\x1b[K\r2/2 done\x1b[K\r\x1b[K");
}

TEST(Paragraph, breaksAtBlanksAndIndentsLaterLines) {
    EXPECT_EQ(wrapped("  note  ", "one two three four", 8, 17),
              "  note  one two\n        three\n        four\n");
    EXPECT_EQ(wrapped("", "one two three", 2, 9), "one two\n  three\n");
}

TEST(Paragraph, leavesWordsWholeThatAreWiderThanTheTerminal) {
    EXPECT_EQ(wrapped("", "a path/that/is/long b", 2, 8), "a\n  path/that/is/long\n  b\n");
    EXPECT_EQ(wrapped("", "a b", 2, 0), "a\n  b\n");
}

TEST(Paragraph, countsLettersAndNotBytes) {
    EXPECT_EQ(columns_of("\xC3\xA9t\xC3\xA9"), 3U);
    EXPECT_EQ(columns_of("r\xE9sum\xE9"), 6U) << "Latin-1: of what is no UTF-8 every byte is a letter";
    EXPECT_EQ(wrapped("", "\xC3\xA9t\xC3\xA9 \xC3\xA9t\xC3\xA9", 2, 7),
              "\xC3\xA9t\xC3\xA9 \xC3\xA9t\xC3\xA9\n");
}

TEST(Paragraph, keepsColoursAndLinesOfNamesOffTheTerminal) {
    EXPECT_EQ(plain("b10\x1b[31m\n"), "b10 [31m ");
    EXPECT_EQ(wrapped("", "a\tb\x7f", 2, 80), "a b\n");
}

TEST(Table, leavesOutWhatIsMostExpendableFirst) {
    Table table({{"trial", Table::Align::left, 0},
                 {"steps", Table::Align::right, 2},
                 {"time", Table::Align::right, 1}});
    table.add({"a", "100", "3 s"});
    EXPECT_EQ(table.text(80), "trial  steps  time\na        100   3 s\n");
    EXPECT_EQ(table.text(17), "trial  time\na       3 s\n");
    EXPECT_EQ(table.text(4), "trial\na\n");
}

TEST(Quantities, areWrittenForPeople) {
    EXPECT_EQ(duration(0.04), "0.0 s");
    EXPECT_EQ(duration(9.96), "10 s");
    EXPECT_EQ(duration(59.6), "1 min 00 s");
    EXPECT_EQ(duration(7505), "2 h 05 min");
    EXPECT_EQ(duration(3 * 86400 + 4 * 3600), "3 d 4 h");
    EXPECT_EQ(bytes(512), "512 B");
    EXPECT_EQ(bytes(1536), "1.5 KiB");
    EXPECT_EQ(bytes(12 * 1048576.0), "12 MiB");
    EXPECT_EQ(count(950), "950");
    EXPECT_EQ(count(1250), "1.25 k");
    EXPECT_EQ(count(12.5e6), "12.5 M");
    EXPECT_EQ(count(999.6), "1.00 k");
}

}  // namespace
