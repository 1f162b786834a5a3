#include "program/ending.hpp"

#include <filesystem>
#include <iostream>
#include <new>
#include <sstream>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace isogrid;
using program::exit_bad_input, program::exit_done, program::exit_interrupted, program::exit_other;

namespace {

/// What `work` is ended with as a program named `test`, and what it says of it.
std::pair<int, std::string> ended(const std::function<int()>& work) {
    std::ostringstream said;
    std::streambuf* const errors = std::cerr.rdbuf(said.rdbuf());
    const int code = program::run("test", work);
    std::cerr.rdbuf(errors);
    return {code, said.str()};
}

using Ended = std::pair<int, std::string>;

TEST(Ending, hasTheCodeOfTheWork) {
    for (const int code : {exit_done, exit_bad_input, exit_interrupted})
        EXPECT_EQ(ended([&] { return code; }), (Ended{code, ""}));
}

TEST(Ending, saysWhatCouldNotBeHelped) {
    EXPECT_EQ(ended([]() -> int { throw std::runtime_error("disk: full (ENOSPC) make room"); }),
              (Ended{exit_other, "test: disk: full (ENOSPC) make room\n"}));
    EXPECT_THAT(ended([]() -> int { throw std::bad_alloc(); }).second,
                testing::HasSubstr("memory was not enough"));
    const auto denied = std::make_error_code(std::errc::permission_denied);
    EXPECT_EQ(ended([&]() -> int { throw std::filesystem::filesystem_error("open", "/a/b", denied); }),
              (Ended{exit_other,
                     "test: /a/b: cannot be used (Permission denied) set the rights there, make room, or "
                     "name another place\n"}));
}

TEST(Ending, isNoSuccessWhereStandardOutputIsNotTaken) {
    const auto [code, said] = ended([] {
        std::cout.setstate(std::ios::badbit);
        return exit_done;
    });
    std::cout.clear();
    EXPECT_EQ(code, exit_other);
    EXPECT_THAT(said, testing::StartsWith("test: standard output could not be written to its end"));
}

TEST(Refusing, printsEveryFault) {
    std::ostringstream said;
    std::streambuf* const errors = std::cerr.rdbuf(said.rdbuf());
    EXPECT_EQ(program::refuse({{"a", "is b", "c", "do d"}, {"e", "is f", "", ""}}), exit_bad_input);
    std::cerr.rdbuf(errors);
    EXPECT_EQ(said.str(), "a: is b (c) do d\ne: is f\n");
}

}  // namespace
