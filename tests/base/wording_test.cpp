#include "base/wording.hpp"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace isogrid::base {
namespace {

TEST(Wording, showsNumbersShortly) {
    EXPECT_EQ(as_written(0.02), "0.02");
    EXPECT_EQ(as_written(8e10), "8e+10");
    EXPECT_EQ(as_written(65536), "65536");
    EXPECT_EQ(rounded(3.14159e7), "3.14e+07");
    EXPECT_EQ(rounded(42), "42");
    EXPECT_EQ(rounded(1462), "1460");
    EXPECT_EQ(rounded(-272.4, 2), "-270");
    EXPECT_EQ(rounded(999999), "1e+06");
}

TEST(Wording, guessesOnlyWhatIsNear) {
    const std::vector<std::string> words = {"batch", "beta1", "beta2", "leaves"};
    EXPECT_EQ(nearest("bach", words), "batch");
    EXPECT_EQ(nearest("beta3", words), "beta1");
    EXPECT_EQ(nearest("leaf", words), std::nullopt);
    EXPECT_EQ(nearest("x", words), std::nullopt);
    EXPECT_EQ(nearest("", words), std::nullopt);
}

}  // namespace
}  // namespace isogrid::base
