// When a host, and when the input, is at fault for what ranks lack (under MPI: mpi_program.cpp).
#include "cluster/site/lack.hpp"

#include <gtest/gtest.h>

namespace isogrid::cluster {
namespace {

TEST(Lack, isOfTheInputWhereNobodyHasIt) {
    const Lack lack = judge_lack({false, false}, /*anywhere=*/false);
    EXPECT_FALSE(lack.of_some);
    EXPECT_FALSE(lack.of_a_host);
}

TEST(Lack, isOfAHostWhoseRanksAllLackWhatOthersHave) {
    const Lack lack = judge_lack({false, false}, /*anywhere=*/true);
    EXPECT_TRUE(lack.of_some);
    EXPECT_TRUE(lack.of_a_host);
}

TEST(Lack, isOfNoHostOfWhichARankHasIt) {
    const Lack lack = judge_lack({false, true}, /*anywhere=*/true);
    EXPECT_TRUE(lack.of_some) << "another start may go well";
    EXPECT_FALSE(lack.of_a_host);
}

TEST(Lack, isOfNoHostThatHasItWhileAnotherLacksIt) {
    EXPECT_FALSE(judge_lack({true}, /*anywhere=*/true).of_a_host);
}

}  // namespace
}  // namespace isogrid::cluster
