#include "files/text.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "scratch_folder.hpp"

using isogrid::ScratchFolder, isogrid::files::text_of;

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
