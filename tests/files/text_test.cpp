// A file is read whole, or it is told that it is not.
#include "files/text.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scratch_folder.hpp"

using isogrid::ScratchFolder, isogrid::write_all, isogrid::files::read_text, isogrid::files::text_of;
using testing::HasSubstr;

namespace {

std::string fault_of(const std::filesystem::path& path) {
    const auto text = read_text(path, "a job file");
    return text ? "read " + std::to_string(text->size()) + " bytes" : isogrid::base::to_string(text.error());
}

}  // namespace

TEST(ReadText, isReadWholeWhateverBytesItHas) {
    const ScratchFolder scratch;
    const auto path = scratch / "bytes";
    std::string bytes;
    for (int i = 0; i < 200'000; ++i)  // more than one block, and no whole number of them
        bytes += static_cast<char>(i % 251);
    write_all(path, bytes);
    EXPECT_EQ(read_text(path, "a job file").value(), bytes);
    write_all(path, "");
    EXPECT_EQ(read_text(path, "a job file").value(), "");
}

TEST(ReadText, thatIsAFolderOrIsNotThereIsAFault) {
    EXPECT_EQ(fault_of("nowhere/x.toml"),
              "nowhere/x.toml: cannot be read (No such file or directory) check the path\n");
    EXPECT_THAT(fault_of(testing::TempDir()), HasSubstr("cannot be read (it is a folder) give a job file"));
}

/// A half-read file would be taken for a shorter one. The first page of this process's memory is one that
/// opens, and cannot be read.
TEST(ReadText, thatCannotBeReadToItsEndIsAFault) {
    EXPECT_THAT(fault_of("/proc/self/mem"), HasSubstr("cannot be read (Input/output error)"));
}

TEST(TextOf, isAllOfAFile) {
    const ScratchFolder folder;
    const std::string text(10'000, 'x');
    std::ofstream(folder / "long") << text << '\0' << "end";
    std::ofstream(folder / "empty") << "";
    EXPECT_EQ(text_of(folder / "long"), text + std::string(1, '\0') + "end");
    EXPECT_EQ(text_of(folder / "empty"), "");
}

// A folder can be opened, and a read of it fails as one of a file server does: std::ifstream throws there.
TEST(TextOf, isNothingWhereAReadFails) {
    const ScratchFolder folder;
    EXPECT_EQ(text_of(folder / "absent"), std::nullopt);
    EXPECT_EQ(text_of(folder.path()), std::nullopt);
}
