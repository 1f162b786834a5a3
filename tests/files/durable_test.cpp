#include "files/durable.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>

#include <gtest/gtest.h>

#include "scratch_folder.hpp"

namespace isogrid::files {
namespace {

TEST(MakeFolders, makesWhatIsMissingAndLeavesWhatIsThere) {
    const ScratchFolder scratch;
    make_folders(scratch / "sweep.h5.d/trials");
    isogrid::write_all(scratch / "sweep.h5.d/trials/kept", "kept");
    make_folders(scratch / "sweep.h5.d/trials");
    make_folders(scratch / "sweep.h5.d/attempts");
    EXPECT_EQ(isogrid::read_all(scratch / "sweep.h5.d/trials/kept"), "kept");
    EXPECT_TRUE(std::filesystem::is_directory(scratch / "sweep.h5.d/attempts"));
}

TEST(MakeFolders, goesThroughALinkToAFolder) {
    const ScratchFolder scratch;
    make_folders(scratch / "disk");
    std::filesystem::create_directory_symlink("disk", scratch / "here");
    make_folders(scratch / "here/sweep.h5.d");
    EXPECT_TRUE(std::filesystem::is_directory(scratch / "disk/sweep.h5.d"));
}

TEST(MakeFolders, namesTheFileThatStandsInTheWay) {
    const ScratchFolder scratch;
    isogrid::write_all(scratch / "sweep.h5.d", "a file");
    try {
        make_folders(scratch / "sweep.h5.d/trials");
        FAIL() << "a folder in a file";
    } catch (const std::filesystem::filesystem_error& error) {
        EXPECT_EQ(error.path1().parent_path(), scratch.path());
    }
}

TEST(BehindLinks, followsThemToWhatNeedNotBeThere) {
    const ScratchFolder scratch;
    std::filesystem::create_symlink("second", scratch / "first");
    std::filesystem::create_symlink("missing", scratch / "second");
    EXPECT_EQ(behind_links(scratch / "first"), scratch / "missing");
    EXPECT_EQ(behind_links(scratch / "missing"), scratch / "missing");
}

TEST(BehindLinks, endsThoughLinksLeadInACircle) {
    const ScratchFolder scratch;
    std::filesystem::create_symlink("second", scratch / "first");
    std::filesystem::create_symlink("first", scratch / "second");
    EXPECT_TRUE(std::filesystem::is_symlink(behind_links(scratch / "first")));
}

TEST(WriteAll, saysThatTheDiskIsFull) {
    const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(full);
    EXPECT_EQ(write_all(full, std::array<std::byte, 3>{}), std::error_code(ENOSPC, std::generic_category()));
}

TEST(SyncFolderOf, saysThatTheFolderIsNotThere) {
    const ScratchFolder scratch;
    EXPECT_FALSE(sync_folder_of(scratch / "file"));
    EXPECT_EQ(sync_folder_of(scratch / "missing/file"), std::errc::no_such_file_or_directory);
}

}  // namespace
}  // namespace isogrid::files
