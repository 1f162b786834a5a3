// How many trials a card has at once, by what was measured: made-up cards whose speed is a formula.
#include "cluster/schedule/packing.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

using namespace isogrid::cluster;

namespace {

constexpr double size = 1e6;

/// Measures what a card does that gives `speed(k)` FLOP/s to k trials together, on as many as are thought to
/// be worth it, until nothing changes.
int settled(Packing& packing, const std::function<double(int)>& speed) {
    for (int round = 0; round < 100; ++round) {
        const int together = packing.worth(size);
        const double seconds = Packing::least_seconds * together;
        packing.measured(size, together, speed(together) / together * seconds, seconds);
    }
    return packing.worth(size);
}

/// Rises by one trial's speed until `full` trials, and not at all from there on.
std::function<double(int)> saturating_at(int full) {
    return [full](int together) { return 1e12 * std::min(together, full); };
}

}  // namespace

TEST(Packing, findsHowManyTrialsFillACard) {
    for (const int full : {1, 2, 3, 5, 8}) {
        Packing packing(8, true);
        EXPECT_EQ(settled(packing, saturating_at(full)), full);
        EXPECT_DOUBLE_EQ(packing.speed(size, full), 1e12 * full);
    }
}

TEST(Packing, stopsWhereOneMoreAddsLessThanItCosts) {
    // 1 - 2^-k of the whole: one more adds 1/2, 1/6, 1/14, 1/30, and then 1/62 < 3%.
    Packing packing(8, true);
    EXPECT_EQ(settled(packing, [](int together) { return 1e12 * (1 - std::exp2(-together)); }), 5);
    Packing slower(8, true);
    EXPECT_EQ(settled(slower, [](int together) { return 1e12 / together; }), 1);
}

TEST(Packing, addsOneTrialAtATimeAndOnlyOnceTheLastIsMeasured) {
    Packing packing(8, true);
    EXPECT_EQ(packing.worth(size), 1) << "nothing is known";
    packing.measured(size, 1, 1e12, 0.9 * Packing::least_seconds);
    EXPECT_EQ(packing.worth(size), 1) << "too little is known";
    packing.measured(size, 1, 1e12, 0.2 * Packing::least_seconds);
    EXPECT_EQ(packing.worth(size), 2);
    packing.measured(size, 2, 2e12, 1.1 * Packing::least_seconds);
    EXPECT_EQ(packing.worth(size), 2) << "of a card with two: half as long as each of them says";
    EXPECT_EQ(packing.speed(size, 2), 0);
    packing.measured(size, 2, 2e12, 1.1 * Packing::least_seconds);
    EXPECT_EQ(packing.worth(size), 3);
}

TEST(Packing, judgesSizesApartAndTakesUnknownOnesForTheNearest) {
    Packing packing(8, true);
    const double large = 1e8;
    settled(packing, saturating_at(8));
    EXPECT_EQ(packing.worth(large), 8) << "as the only size known";
    packing.measured(large, 1, 4e14, Packing::least_seconds);
    packing.measured(large, 2, 4e14, 2 * Packing::least_seconds);
    EXPECT_EQ(packing.worth(large), 1);
    EXPECT_EQ(packing.worth(3e7), 1);
    EXPECT_EQ(packing.worth(3e6), 8);
    EXPECT_EQ(packing.worth(size), 8);
}

TEST(Packing, comparesAcrossNumbersThatWereNeverTried) {
    // A size that began as its neighbour's: four together do what one alone does.
    Packing packing(8, true);
    packing.measured(size, 1, 3e12, Packing::least_seconds);
    packing.measured(size, 4, 3e12, 4 * Packing::least_seconds);
    EXPECT_EQ(packing.worth(size), 1);
    Packing better(8, true);
    better.measured(size, 4, 3e12, 4 * Packing::least_seconds);
    EXPECT_EQ(better.worth(size), 5);
}

TEST(Packing, measuresNothingWhereTheJobSaysHowMany) {
    Packing packing(3, false);
    EXPECT_EQ(settled(packing, saturating_at(1)), 3);
    EXPECT_EQ(Packing(1, true).worth(size), 1);
}
