// What a sweep does with trials that end badly: the coordinator's and the lone program's decisions alike.
#include "cluster/sweep/sweep.hpp"

#include <gtest/gtest.h>

#include "cluster/small_study.hpp"

using namespace isogrid::cluster;
using isogrid::archive::Outcome;
using Ranks = std::vector<int>;

namespace {

class OneTrial : public testing::Test {
  protected:
    OneTrial() { idle(4); }
    void idle(int workers) {
        for (int rank = 1; rank <= workers; ++rank)
            sweep_.worker_idle(rank);
    }
    /// The ranks that the trial is given at `now`, and how that ends.
    Ranks attempt(double now, Outcome outcome) {
        const auto assignments = sweep_.assign(now);
        if (assignments.size() != 1) return {};
        sweep_.finished({.trial = 0, .outcome = outcome, .cause = "why", .stored = true, .steps = 10},
                        now + 1);
        for (const int rank : assignments[0].ranks)
            sweep_.worker_idle(rank);
        return assignments[0].ranks;
    }

    isogrid::study::Study study_ = [] {
        isogrid::study::Study study = test::study_of({1e9}, 4);
        study.job.ranks_per_trial = 1;
        return study;
    }();
    Sweep sweep_{study_, {0}, 0, 4};
};

}  // namespace

TEST_F(OneTrial, thatLacksMemoryGetsMoreRanksUntilItHasEnough) {
    EXPECT_EQ(attempt(0, Outcome::out_of_memory), Ranks{1});
    EXPECT_FALSE(sweep_.over());
    EXPECT_EQ(attempt(10, Outcome::out_of_memory), (Ranks{1, 2}));
    EXPECT_EQ(attempt(20, Outcome::completed), (Ranks{1, 2, 3, 4}));
    EXPECT_TRUE(sweep_.over());
    EXPECT_TRUE(sweep_.state(30).failed.empty());
    EXPECT_EQ(sweep_.state(30).done, 1);
}

TEST_F(OneTrial, thatLacksMemoryOnAllItsLeavesIsGivenUp) {
    for (const double now : {0, 10, 20})
        attempt(now, Outcome::out_of_memory);
    EXPECT_TRUE(sweep_.over());
    ASSERT_EQ(sweep_.state(30).failed.size(), 1u);
    EXPECT_EQ(sweep_.state(30).failed[0].outcome, "out_of_memory");
}

TEST_F(OneTrial, thatFailsIsTriedTwice) {
    EXPECT_EQ(attempt(0, Outcome::failed), Ranks{1});
    EXPECT_FALSE(sweep_.over());
    EXPECT_EQ(attempt(10, Outcome::failed), Ranks{1});
    EXPECT_TRUE(sweep_.over());
    EXPECT_EQ(sweep_.state(20).failed[0].cause, "why");
}

TEST_F(OneTrial, thatDivergesHasGivenItsResult) {
    EXPECT_EQ(attempt(0, Outcome::diverged), Ranks{1});
    EXPECT_TRUE(sweep_.over());
    EXPECT_EQ(sweep_.state(10).diverged, 1);
    EXPECT_TRUE(sweep_.state(10).failed.empty());
}

TEST_F(OneTrial, thatFailedInAnEarlierStartHasOneAttemptLess) {
    Sweep again(study_, {0}, 0, 4, {.attempts = {{0, {.failed = 1}}}});
    again.worker_idle(1);
    ASSERT_EQ(again.assign(0).size(), 1u);
    again.finished({.trial = 0, .outcome = Outcome::failed, .cause = "why", .stored = true, .steps = 10}, 1);
    EXPECT_TRUE(again.over());
}

TEST_F(OneTrial, thatHasACheckpointCountsOnlyForWhatIsLeft) {
    Sweep whole(study_, {0}, 0, 1), begun(study_, {0}, 0, 1, {.steps_before = {{0, 8}}});
    for (Sweep* sweep : {&whole, &begun})
        sweep->measured(0, 1);
    EXPECT_NEAR(*begun.state(0).remaining_rank_seconds, 0.2 * *whole.state(0).remaining_rank_seconds, 1e-9);
}

// A trunk of 30 steps and its branch, which decays over 10 more.
/// Four trials of 1000 s each on one rank, and 1000 steps.
isogrid::study::Study four_trials_of_1000_seconds() {
    isogrid::study::Study study = test::study_of({1000, 1000, 1000, 1000});
    for (auto& planned : study.grid.trials) {
        planned.trial.steps = 1000;
        planned.flops_per_token.exact /= 100;
    }
    return study;
}

TEST(Sweep, takesNoStepsOfACheckpointForStepsOfTheAttemptThatGoesOnFromIt) {
    const auto study = four_trials_of_1000_seconds();
    Sweep sweep(study, test::all_of(study), 0, 1);
    sweep.worker_idle(1);
    const int trial = sweep.assign(0).at(0).trial;
    sweep.progressed({.trial = trial, .steps_done = 0, .steps = 1000}, 0);
    sweep.progressed({.trial = trial, .steps_done = 500, .steps = 1000}, 500);
    sweep.worker_lost(1);
    sweep.lost(trial);
    sweep.worker_idle(2);
    ASSERT_EQ(sweep.assign(1100).at(0).trial, trial);
    sweep.progressed({.trial = trial, .steps_done = 500, .steps = 1000}, 1100);
    sweep.progressed({.trial = trial, .steps_done = 501, .steps = 1000}, 1101);
    EXPECT_NEAR(sweep.state(1101).remaining_rank_seconds.value(), 3499, 1);
}

TEST(Sweep, seesWhereAnAttemptBeginsWhoseNewestCheckpointIsOfNoUse) {
    const auto study = four_trials_of_1000_seconds();
    Sweep sweep(study, test::all_of(study), 0, 1, {.steps_before = {{0, 900}, {1, 900}, {2, 900}, {3, 900}}});
    sweep.worker_idle(1);
    const int trial = sweep.assign(0).at(0).trial;
    for (int steps = 0; steps < 1000; steps += 100)
        sweep.progressed({.trial = trial, .steps_done = steps, .steps = 1000}, steps);
    sweep.finished(
        {.trial = trial, .outcome = Outcome::completed, .stored = true, .steps_done = 1000, .steps = 1000},
        1000);
    EXPECT_NEAR(sweep.state(1000).remaining_rank_seconds.value(), 300, 1) << "three of 100 s each";
}

TEST(Sweep, stopsWhenTwoTrialsInARowFindNoRoomForTheirFiles) {
    const isogrid::study::Study study = test::study_of({1e9, 1e9, 1e9, 1e9, 1e9});
    Sweep sweep(study, {0, 1, 2, 3, 4}, 0, 1);
    const auto next_ends = [&](bool stored) {
        sweep.worker_idle(1);
        const auto assignments = sweep.assign(0);
        if (assignments.empty()) return false;
        sweep.finished({.trial = assignments[0].trial, .outcome = Outcome::completed, .stored = stored}, 1);
        return true;
    };
    for (const bool stored : {false, true, false})
        ASSERT_TRUE(next_ends(stored)) << "one is its own trouble";
    EXPECT_FALSE(sweep.stopped());
    ASSERT_TRUE(next_ends(false));
    EXPECT_TRUE(sweep.stopped()) << "what is trained now is lost";
    EXPECT_FALSE(next_ends(true));
    EXPECT_EQ(sweep.store_faults().size(), 3u);
}

TEST(Trunks, areWaitedForUnlessTheirStateIsThere) {
    isogrid::study::Study study = test::study_of({3e9, 4e9});
    isogrid::study::Trial &trunk = study.grid.trials[0].trial, &branch = study.grid.trials[1].trial;
    trunk.schedule.kind = isogrid::study::ScheduleKind::constant;
    trunk.steps = 30;
    trunk.evaluation.steps = {30};
    branch = trunk;
    branch.schedule = {.kind = isogrid::study::ScheduleKind::warmup_stable_decay, .decay_steps = 10};
    branch.steps = 40;
    EXPECT_EQ(with_trunks({}, study, {0, 1}).trunks, (std::map<int, int>{{1, 0}}));
    EXPECT_EQ(with_trunks({}, study, {0, 1}).steps_before.at(1), 30);
    EXPECT_TRUE(with_trunks({.steps_before = {{1, 30}}}, study, {0, 1}).trunks.empty());
    EXPECT_EQ(with_trunks({.steps_before = {{1, 16}}}, study, {0, 1}).trunks.size(), 1u);
    EXPECT_DOUBLE_EQ(part_left(study, 1, {.steps_before = {{1, 30}}}), 0.25);
    EXPECT_DOUBLE_EQ(part_left(study, 0, {}), 1);

    Sweep sweep(study, {0, 1}, 0, 2, {.steps_before = {{1, 30}}});
    for (const int rank : {1, 2})
        sweep.worker_idle(rank);
    EXPECT_EQ(sweep.assign(0).size(), 2u) << "both at once";
}
