#include "cluster/site/patience.hpp"

#include <gtest/gtest.h>

using namespace isogrid::cluster;
using namespace std::chrono_literals;

TEST(Patience, isAwakeAtFirstThenNapsAnEighthOfTheWait) {
    EXPECT_EQ(nap_after(0ns, 3ms), 0ns);
    EXPECT_EQ(nap_after(99us, 3ms), 0ns) << "a nap takes no less than that";
    EXPECT_EQ(nap_after(100us, 3ms), 20us);
    EXPECT_EQ(nap_after(800us, 3ms), 100us);
    EXPECT_EQ(nap_after(8ms, 3ms), 1ms);
}

TEST(Patience, neverNapsLongerThanItMay) {
    EXPECT_EQ(nap_after(1h, 3ms), 3ms);
    EXPECT_EQ(nap_after(100us, 5us), 5us);
}

TEST(Patience, makesFewLooksInALongWait) {
    // Awake 0.1 ms, then (1 + 1/8)^n, then one look each 3 ms: in a second not many more than those last
    // ones.
    Nanoseconds waited = 100us;
    int looks = 0;
    for (; waited < 1s; ++looks)
        waited += nap_after(waited, 3ms);
    EXPECT_GE(looks, 1s / 3ms);
    EXPECT_LE(looks, 1s / 3ms + 50);
}

TEST(Patience, looksUntilItComes) {
    int looks = 0;
    wait_for([&] { return ++looks == 5; }, 1ms);
    EXPECT_EQ(looks, 5);
}
