#include "program/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace isogrid;
using namespace isogrid::program;
using testing::HasSubstr;

namespace {

base::Result<options::variables_map> read(const std::vector<std::string>& words, bool many = false) {
    options::options_description known;
    known.add_options()("ranks", options::value<int>()->default_value(1), "how many")(
        "flops", options::value<std::vector<double>>(), "budgets")("json", "as JSON");
    return read_options(words, known, {"JOB", "OUT"}, many, "isogrid plan", "usage: isogrid plan JOB OUT");
}

std::string fault(const std::vector<std::string>& words) {
    const auto given = read(words);
    return given ? "none" : base::to_string(given.error());
}

TEST(Options, areReadWithPositionsBetweenThem) {
    const auto given = read({"a.toml", "--ranks", "3", "out.h5"});
    ASSERT_TRUE(given);
    EXPECT_EQ((*given)["ranks"].as<int>(), 3);
    EXPECT_EQ((*given)["JOB"].as<std::string>(), "a.toml");
    EXPECT_EQ((*given)["OUT"].as<std::string>(), "out.h5");
    EXPECT_FALSE(given->contains("json"));
}

TEST(Options, mayLackPositionsAndRepeatTheLast) {
    ASSERT_TRUE(read({}));
    EXPECT_FALSE(read({})->contains("JOB"));
    const auto given = read({"a", "b", "c"}, /*many=*/true);
    ASSERT_TRUE(given);
    EXPECT_EQ((*given)["OUT"].as<std::vector<std::string>>(), (std::vector<std::string>{"b", "c"}));
}

TEST(Options, areSpelledOut) {
    EXPECT_EQ(fault({"--rank", "3"}),
              "isogrid plan: unrecognised option '--rank' (usage: isogrid plan JOB OUT) "
              "write --ranks, or see isogrid plan --help\n");
    EXPECT_THAT(fault({"--nothing-like-it"}), HasSubstr(") see isogrid plan --help"));
}

TEST(Options, areRefusedWithoutTheirValuesOrWithOthers) {
    EXPECT_THAT(fault({"--ranks"}), HasSubstr("'--ranks'"));
    EXPECT_EQ(
        fault({"--ranks", "many"}),
        "isogrid plan: --ranks is \"many\" (a whole number is expected, of a usual size) see isogrid plan "
        "--help\n");
    EXPECT_THAT(fault({"--ranks", "4x"}), HasSubstr(") write --ranks 4, or see"));
    EXPECT_THAT(
        fault({"--flops", "1e15FLOPs"}),
        HasSubstr("--flops is \"1e15FLOPs\" (a number is expected, without a unit) write --flops 1e15, or"));
    EXPECT_EQ(
        fault({"a", "b", "c"}),
        "isogrid plan: takes no more words than JOB, OUT (usage: isogrid plan JOB OUT) leave out what is too "
        "much, or see isogrid plan --help\n");
}

TEST(Options, thatAreRequiredMayBeMissingWhereHelpIsAskedFor) {
    options::options_description known;
    known.add_options()("out", options::value<std::string>()->required(), "")("help,h", "");
    const auto read = [&](const std::vector<std::string>& words) {
        return read_options(words, known, {}, false, "isogrid tokenize", "");
    };
    EXPECT_TRUE(read({"--help"}));
    ASSERT_FALSE(read({}));
    EXPECT_THAT(base::to_string(read({}).error()), HasSubstr("'--out' is required but missing"));
}

}  // namespace
