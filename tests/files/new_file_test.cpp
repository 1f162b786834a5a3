#include "files/new_file.hpp"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scratch_folder.hpp"

namespace isogrid::files {
namespace {

using testing::HasSubstr;

TEST(NewFile, appearsUnderItsNameWhenItIsWhole) {
    const ScratchFolder scratch;
    auto file = NewFile::create(scratch / "report");
    ASSERT_TRUE(file) << base::to_string(file.error());
    file->write("0123456789");
    file->write_at(2, std::as_bytes(std::span("xy", 2)));
    EXPECT_FALSE(std::filesystem::exists(scratch / "report"));
    file->commit();
    EXPECT_EQ(isogrid::read_all(scratch / "report"), "01xy456789");
    EXPECT_EQ(scratch.entries(), 1);
}

TEST(NewFile, givesBackWhatWasWrittenAndNoMore) {
    const ScratchFolder scratch;
    auto file = NewFile::create(scratch / "report");
    ASSERT_TRUE(file);
    file->write("0123");
    std::array<char, 4> bytes{};
    EXPECT_EQ(file->read_at(2, std::as_writable_bytes(std::span(bytes))), 2U);
    EXPECT_EQ(std::string(bytes.data(), 2), "23");
}

TEST(NewFile, leavesWhatWasThereUntilItIsCommitted) {
    const ScratchFolder scratch;
    isogrid::write_all(scratch / "report", "of yesterday");
    {
        auto file = NewFile::create(scratch / "report");
        ASSERT_TRUE(file);
        file->write("half of to");
        EXPECT_EQ(isogrid::read_all(scratch / "report"), "of yesterday");
    }
    EXPECT_EQ(isogrid::read_all(scratch / "report"), "of yesterday");
    EXPECT_EQ(scratch.entries(), 1) << "the unfinished one is gone";
}

TEST(NewFile, isWrittenThroughALink) {
    const ScratchFolder scratch;
    std::filesystem::create_symlink("behind", scratch / "link");
    auto file = NewFile::create(scratch / "link");
    ASSERT_TRUE(file);
    file->write("text");
    file->commit();
    EXPECT_TRUE(std::filesystem::is_symlink(scratch / "link"));
    EXPECT_EQ(isogrid::read_all(scratch / "behind"), "text");
}

TEST(NewFile, twoOfOneNameAreEachWhole) {
    const ScratchFolder scratch;
    auto first = NewFile::create(scratch / "report"), second = NewFile::create(scratch / "report");
    ASSERT_TRUE(first && second);
    EXPECT_NE(first->temporary_path(), second->temporary_path());
    first->write("first");
    second->write("second");
    second->commit();
    EXPECT_EQ(isogrid::read_all(scratch / "report"), "second");
    first->commit();
    EXPECT_EQ(isogrid::read_all(scratch / "report"), "first");
}

TEST(NewFile, refusesWhatCanBeNoFile) {
    const ScratchFolder scratch;
    for (const auto& [path, what_to_do] : {std::pair{scratch.path(), "name a file"},
                                           {std::filesystem::path("/dev/full"), "name a file"},
                                           {scratch / "missing/report", "make its folder first"}}) {
        const auto file = NewFile::create(path);
        ASSERT_FALSE(file) << path;
        EXPECT_THAT(base::to_string(file.error()),
                    testing::AllOf(HasSubstr(path.string()), HasSubstr(what_to_do)));
    }
    EXPECT_EQ(scratch.entries(), 0);
}

}  // namespace
}  // namespace isogrid::files
