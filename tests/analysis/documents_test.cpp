// No law without its page and its line in the table of methods.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;

const std::filesystem::path documents = std::filesystem::path(ISOGRID_SOURCE_DIR) / "docs";

std::string text_of(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

TEST(Documents, haveAPageForEveryLaw) {
    for (const Law& law : laws()) {
        const std::string page = text_of(documents / "laws" / (std::string(law.name) + ".md"));
        EXPECT_THAT(page, HasSubstr("# " + std::string(law.name) + ": "));
        for (const char* part : {"Source", "**Validity.**"})
            EXPECT_THAT(page, HasSubstr(part)) << law.name;
    }
}

TEST(Documents, haveEveryLawInTheTableOfMethods) {
    const std::string methods = text_of(documents / "methods.md");
    for (const Law& law : laws())
        EXPECT_THAT(methods,
                    HasSubstr("| [" + std::string(law.name) + "](laws/" + std::string(law.name) + ".md) |"));
}

}  // namespace
}  // namespace isogrid::analysis
