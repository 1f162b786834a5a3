// A file is read whole, or a fault says why it is not.
#include "study/text_file.hpp"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scratch_folder.hpp"

namespace isogrid::study {
namespace {

using ::testing::HasSubstr;

std::string fault_of(const std::filesystem::path& path) {
    const auto text = read_text(path, "a job file");
    return text ? "read " + std::to_string(text->size()) + " bytes" : to_string(text.error());
}

TEST(TextFile, isReadWholeWhateverBytesItHas) {
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

TEST(TextFile, thatIsAFolderOrIsNotThereIsAFault) {
    EXPECT_EQ(fault_of("nowhere/x.toml"),
              "nowhere/x.toml: cannot be read (No such file or directory) check the path\n");
    EXPECT_THAT(fault_of(::testing::TempDir()), HasSubstr("cannot be read (it is a folder) give a job file"));
}

/// A half-read file would be taken for a shorter one. The first page of this process's memory is one that
/// opens, and cannot be read.
TEST(TextFile, thatCannotBeReadToItsEndIsAFault) {
    EXPECT_THAT(fault_of("/proc/self/mem"), HasSubstr("cannot be read (Input/output error)"));
}

}  // namespace
}  // namespace isogrid::study
