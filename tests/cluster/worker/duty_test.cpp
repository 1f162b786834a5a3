// What a worker makes of its notes.
#include "cluster/worker/duty.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

using namespace isogrid::cluster;

TEST(Duty, startsEachAssignmentOnce) {
    Duty duty;
    EXPECT_EQ(duty.leave(), Ready{0});
    const Assign assign{.attempt = 3, .trial = 1, .ranks = {1}, .lease = "ours"};
    EXPECT_EQ(duty.take(assign), assign);
    EXPECT_FALSE(duty.take(assign)) << "the note came twice";
    EXPECT_EQ(duty.leave(), Ready{3});
    EXPECT_FALSE(duty.take(assign));
}

TEST(Duty, knowsWhichAttemptItIsToldToAbandon) {
    Duty duty;
    duty.take(Assign{.attempt = 3, .trial = 1, .ranks = {1}, .lease = ""});
    duty.take(Abandon{2});
    EXPECT_FALSE(duty.told_to_abandon()) << "that was an earlier one";
    duty.take(Abandon{3});
    EXPECT_TRUE(duty.told_to_abandon());
    duty.leave();
    EXPECT_FALSE(duty.told_to_abandon());
}

TEST(Duty, doesNotStartWhatWasTakenBackBeforeItCame) {
    Duty duty;
    duty.take(Abandon{3});
    EXPECT_FALSE(duty.take(Assign{.attempt = 3, .trial = 1, .ranks = {1}, .lease = ""}));
    EXPECT_EQ(duty.leave(), Ready{3}) << "it has left it";
}

TEST(Duty, refusesASecondTrialAndNotesOfWorkers) {
    Duty duty;
    duty.take(Assign{.attempt = 1, .trial = 1, .ranks = {1}, .lease = ""});
    EXPECT_THROW(duty.take(Assign{.attempt = 2, .trial = 2, .ranks = {1}, .lease = ""}), std::logic_error);
    EXPECT_THROW(duty.take(Ready{}), std::runtime_error);
}

TEST(Duty, pausesTheAttemptAtHandAndNoOther) {
    Duty duty;
    duty.take(Assign{1, 0, {1}, "lease"});
    duty.take(Pause{1});
    EXPECT_TRUE(duty.told_to_pause());
    duty.leave();
    duty.take(Assign{4, 1, {1}, "lease"});
    EXPECT_FALSE(duty.told_to_pause()) << "that was another attempt";
    duty.take(Pause{1});
    EXPECT_FALSE(duty.told_to_pause()) << "it came late";
}
