// What a run makes of the time that Slurm gives it.
#include "cluster/site/allocation.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

using namespace isogrid::cluster;

TEST(Allocation, endsWhenSlurmSays) {
    unsetenv("SLURM_JOB_END_TIME");
    EXPECT_FALSE(seconds_to_end(1000)) << "no Slurm, no end";
    setenv("SLURM_JOB_END_TIME", "4600", 1);
    EXPECT_EQ(seconds_to_end(1000), 3600);
    EXPECT_EQ(seconds_to_end(5000), 0) << "over";
    for (const char* nonsense : {"", "NONE", "-5", "4600s"}) {
        setenv("SLURM_JOB_END_TIME", nonsense, 1);
        EXPECT_FALSE(seconds_to_end(1000)) << nonsense;
    }
    unsetenv("SLURM_JOB_END_TIME");
}

TEST(Allocation, isUsedToAMinuteBeforeItsEnd) {
    const Deadline day = deadline_of(86400);
    EXPECT_EQ(day.stop_after, 86340);
    EXPECT_EQ(day.least_worth, 60);
}

TEST(Allocation, ofAMinuteStillStartsTrials) {
    const Deadline minute = deadline_of(60);
    EXPECT_EQ(minute.stop_after, 54);
    EXPECT_EQ(minute.least_worth, 27);
    EXPECT_EQ(deadline_of(0).stop_after, 0);
}
