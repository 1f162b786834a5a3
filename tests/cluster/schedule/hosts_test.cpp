// Which hosts get no more work, and when a host is not to blame.
#include "cluster/schedule/hosts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace isogrid::cluster;
using testing::ElementsAre;
using testing::Pair;

namespace {

/// Ranks 1, 2 on `a`, 3, 4 on `b`, and so on.
Hosts two_ranks_each(const std::string& names) {
    Hosts hosts;
    for (std::size_t i = 0; i < names.size(); ++i)
        for (const int rank : {1, 2})
            hosts.says(2 * static_cast<int>(i) + rank, std::string(1, names[i]));
    return hosts;
}

}  // namespace

TEST(Hosts, areSetAsideAfterTwoDifferentTrialsInARow) {
    Hosts hosts = two_ranks_each("ab");
    EXPECT_FALSE(hosts.failed({1}, 7));
    EXPECT_FALSE(hosts.failed({2}, 7)) << "twice the same trial: it may be the trial";
    EXPECT_FALSE(hosts.failed({3}, 8)) << "elsewhere";
    EXPECT_EQ(hosts.failed({1}, 8), "a");
    EXPECT_TRUE(hosts.is_set_aside(1));
    EXPECT_TRUE(hosts.is_set_aside(2));
    EXPECT_FALSE(hosts.is_set_aside(3));
    EXPECT_THAT(hosts.ranks_of("a"), ElementsAre(1, 2));
    EXPECT_THAT(hosts.failures_on("a"), ElementsAre(Pair(7, 2), Pair(8, 1)));
}

TEST(Hosts, areNotBlamedOnceATrialHasEndedWell) {
    Hosts hosts = two_ranks_each("ab");
    EXPECT_FALSE(hosts.failed({1}, 7));
    hosts.ended_well({2});
    EXPECT_FALSE(hosts.failed({1}, 8));
    EXPECT_FALSE(hosts.is_set_aside(1));
}

TEST(Hosts, areSetAsideWhenRanksFallSilent) {
    Hosts hosts = two_ranks_each("ab");
    EXPECT_FALSE(hosts.fell_silent(1, 7));
    EXPECT_EQ(hosts.fell_silent(2, -2), "a");
    EXPECT_THAT(hosts.failures_on("a"), ElementsAre()) << "a silent rank costs no retry";
}

TEST(Hosts, areNeverSetAsideByMoreThanHalf) {
    Hosts alone = two_ranks_each("a");
    EXPECT_FALSE(alone.failed({1}, 7));
    EXPECT_FALSE(alone.failed({1}, 8));
    Hosts three = two_ranks_each("abc");
    EXPECT_FALSE(three.failed({1}, 7));
    EXPECT_EQ(three.failed({1}, 8), "a");
    EXPECT_FALSE(three.failed({3}, 7));
    EXPECT_FALSE(three.failed({3}, 8)) << "what goes wrong on two of three is no host's fault";
}

TEST(Hosts, areNotBlamedForAGroupThatSpansThem) {
    Hosts hosts = two_ranks_each("ab");
    EXPECT_FALSE(hosts.failed({2, 3}, 7));
    EXPECT_FALSE(hosts.failed({2, 3}, 8));
    EXPECT_FALSE(hosts.failed({1}, 9));
}
