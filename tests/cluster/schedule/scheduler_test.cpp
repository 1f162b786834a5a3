#include "cluster/schedule/scheduler.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "list_schedule.hpp"

using namespace isogrid::cluster;
using Ranks = std::vector<int>;

namespace {

Scheduler with_workers(std::vector<Task> tasks, int ranks_per_trial, int workers) {
    Scheduler scheduler(std::move(tasks), ranks_per_trial);
    for (int rank = 1; rank <= workers; ++rank)
        scheduler.worker_idle(rank);
    return scheduler;
}

}  // namespace

TEST(Scheduler, startsTheLongestFirstAndTiesByIndex) {
    Scheduler scheduler = with_workers({{0, 1e9, 1}, {1, 5e9, 1}, {2, 5e9, 1}, {3, 7e9, 1}}, 0, 1);
    std::vector<int> order;
    for (int i = 0; i < 4; ++i) {
        const auto assignments = scheduler.assign(i);
        ASSERT_EQ(assignments.size(), 1u);
        order.push_back(assignments[0].trial);
        EXPECT_TRUE(scheduler.assign(i).empty()) << "the only worker is busy";
        scheduler.finished(assignments[0].trial, 1, i + 1);
        scheduler.worker_idle(1);
    }
    EXPECT_EQ(order, (std::vector<int>{3, 1, 2, 0}));
    EXPECT_TRUE(scheduler.over());
}

TEST(Scheduler, startsWhatComesAfterATrialOnceThatHasEnded) {
    Scheduler scheduler = with_workers(
        {{.trial = 0, .flops = 5}, {.trial = 1, .flops = 9, .after = 0}, {.trial = 2, .flops = 3}}, 1, 2);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1}}, {2, Ranks{2}}}));
    scheduler.finished(2, 1, 3);
    scheduler.worker_idle(2);
    EXPECT_TRUE(scheduler.assign(3).empty()) << "longer, but its trunk runs";
    EXPECT_FALSE(scheduler.over());
    scheduler.again(0, 1, 0.5, 4);  // the trunk ended badly, and waits again: so does what comes after it
    scheduler.worker_idle(1);
    EXPECT_EQ(scheduler.assign(4), (std::vector<Assignment>{{0, Ranks{1}}}));
    EXPECT_TRUE(scheduler.assign(5).empty());
    scheduler.finished(0, 1, 6);
    scheduler.worker_idle(1);
    EXPECT_EQ(scheduler.assign(6), (std::vector<Assignment>{{1, Ranks{1}}}));
    scheduler.finished(1, 1, 7);
    EXPECT_TRUE(scheduler.over());
}

TEST(Scheduler, waitsForNoTrialThatIsNotToDo) {
    Scheduler scheduler = with_workers({{.trial = 1, .flops = 9, .after = 0}}, 1, 1);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{1, Ranks{1}}}));
}

TEST(Scheduler, givesOneRankATrialWhileTrialsArePlenty) {
    Scheduler scheduler = with_workers({{0, 3, 8}, {1, 2, 8}, {2, 1, 8}}, 0, 2);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1}}, {1, Ranks{2}}}));
}

TEST(Scheduler, sharesIdleRanksAmongTheLastTrialsTheSlowestFirst) {
    // 8 ranks, 3 trials of 8, 4 and 4: alone they end after 8; 4, 2 and 2 ranks end after little more than 2.
    Scheduler scheduler = with_workers({{0, 8, 8}, {1, 4, 8}, {2, 4, 8}}, 0, 8);
    EXPECT_EQ(scheduler.assign(0),
              (std::vector<Assignment>{{0, Ranks{1, 2, 3, 4}}, {1, Ranks{5, 6}}, {2, Ranks{7, 8}}}));
}

TEST(Scheduler, letsARankWaitForThePartnerOfTheLastTrial) {
    // Trials of 3, 3 and 3 seconds: one rank would idle for 3 of 6 seconds.
    Scheduler scheduler = with_workers({{0, 3, 2}, {1, 3, 2}, {2, 3, 2}}, 0, 2);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1}}, {1, Ranks{2}}}));
    scheduler.progressed(1, 2.9 / 3, 2.9);
    scheduler.finished(0, 1, 3);
    scheduler.worker_idle(1);
    EXPECT_TRUE(scheduler.assign(3).empty()) << "rank 2 is nearly there";
    scheduler.finished(1, 1, 3.1);
    scheduler.worker_idle(2);
    EXPECT_EQ(scheduler.assign(3.1), (std::vector<Assignment>{{2, Ranks{1, 2}}}));
}

TEST(Scheduler, countsOnRanksWhoseTrialHasEnded) {
    // Rank 1 has asked for work, rank 2 of the same group will in a moment: the last trial is for both.
    Scheduler scheduler = with_workers({{0, 9, 2}, {1, 3, 2}}, 0, 2);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1, 2}}}));
    scheduler.finished(0, 1, 5);
    scheduler.worker_idle(1);
    EXPECT_TRUE(scheduler.assign(5).empty());
    scheduler.worker_idle(2);
    EXPECT_EQ(scheduler.assign(5.01), (std::vector<Assignment>{{1, Ranks{1, 2}}}));
}

TEST(Scheduler, countsEachRankOnceWhateverNoteComesFirst) {
    // Rank 2 asks for work, and is given a trial, before rank 1 tells how theirs ended.
    Scheduler scheduler = with_workers({{0, 8, 2}, {1, 2, 1}, {2, 2, 1}}, 0, 2);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1, 2}}}));
    scheduler.worker_idle(2);
    EXPECT_EQ(scheduler.assign(4), (std::vector<Assignment>{{1, Ranks{2}}}));
    scheduler.finished(0, 1, 4);
    // Speed 8 / (4 s of two ranks): each of the two takes 2 / speed, and there are no ranks but 1 and 2.
    const double seconds = 2 / (8 / (4 * effective_ranks(2)));
    EXPECT_DOUBLE_EQ(scheduler.remaining_seconds(4, 2), seconds);
    scheduler.worker_idle(1);
    EXPECT_EQ(scheduler.assign(5), (std::vector<Assignment>{{2, Ranks{1}}}));
}

TEST(Scheduler, startsWhatTakesLongestByTheSpeedsOfSizes) {
    // The same FLOPs, but models of size 10 do 1 a second, of size 1000 4.
    Scheduler scheduler =
        with_workers({{0, 40, 1, 1000}, {1, 30, 1, 10}, {2, 40, 1, 900}, {3, 10, 1, 20}}, 0, 1);
    scheduler.measured(0, 10, 1);
    scheduler.measured(0, 1000, 4);
    std::vector<int> order;
    for (int i = 0; i < 4; ++i) {
        const auto assignments = scheduler.assign(i);
        ASSERT_EQ(assignments.size(), 1u);
        order.push_back(assignments[0].trial);
        scheduler.finished(assignments[0].trial, 0, i);
        scheduler.worker_idle(1);
    }
    EXPECT_EQ(order, (std::vector<int>{1, 0, 2, 3})) << "30, 10, 10 and 10 seconds";
}

TEST(Scheduler, learnsTheSpeedsOfSizesFromWhatRuns) {
    Scheduler scheduler =
        with_workers({{0, 100, 1, 10}, {1, 60, 1, 1000}, {2, 50, 1, 11}, {3, 55, 1, 999}}, 0, 2);
    scheduler.assign(0);
    scheduler.progressed(0, 0.5, 50);  // size 10: 1 FLOP/s
    scheduler.finished(1, 1, 10);      // size 1000: 6 FLOP/s
    scheduler.worker_idle(2);
    const auto assignments = scheduler.assign(10);
    ASSERT_EQ(assignments.size(), 1u);
    EXPECT_EQ(assignments[0].trial, 2) << "50 seconds, trial 3 takes 9";
    EXPECT_DOUBLE_EQ(scheduler.remaining_rank_seconds(), 50 + 50 + 55.0 / 6);
}

TEST(Scheduler, neverUsesMoreRanksThanATrialHasLeaves) {
    Scheduler scheduler = with_workers({{0, 8, 2}}, 0, 8);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1, 2}}}));
}

TEST(Scheduler, waitsForWholeGroupsOfTheSizeTheJobAsksFor) {
    Scheduler scheduler = with_workers({{0, 8, 4}, {1, 4, 4}}, 4, 5);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1, 2, 3, 4}}}));
    EXPECT_TRUE(scheduler.assign(0).empty());
    scheduler.finished(0, 1, 1);
    for (const int rank : {1, 2, 3})
        scheduler.worker_idle(rank);
    EXPECT_EQ(scheduler.assign(1), (std::vector<Assignment>{{1, Ranks{1, 2, 3, 5}}}));
}

TEST(Scheduler, predictsFromTheThroughputMeasuredSoFar) {
    Scheduler scheduler = with_workers({{0, 40, 1}, {1, 20, 1}, {2, 20, 1}}, 0, 2);
    EXPECT_TRUE(std::isnan(scheduler.remaining_seconds(0, 2))) << "nothing is measured yet";
    scheduler.assign(0);
    // After 5 s both ranks did 10 FLOPs, 2 FLOP/s each: trial 0 needs 15 s more, trial 1 5 s, then trial 2 10
    // s.
    scheduler.progressed(0, 0.25, 5);
    scheduler.progressed(1, 0.5, 5);
    EXPECT_DOUBLE_EQ(scheduler.remaining_rank_seconds(), (30 + 10 + 20) / 2.0);
    EXPECT_DOUBLE_EQ(scheduler.remaining_seconds(5, 2), 15);
    EXPECT_DOUBLE_EQ(scheduler.remaining_seconds(7, 2), 13) << "time passes between reports";
}

TEST(Scheduler, startsNothingMoreOnceStoppedButKnowsWhatIsLeft) {
    Scheduler scheduler = with_workers({{0, 20, 1}, {1, 10, 1}}, 0, 1);
    scheduler.assign(0);
    scheduler.stop();
    EXPECT_FALSE(scheduler.over()) << "trial 0 still runs";
    scheduler.interrupted(0, 0.5, 5);  // 10 FLOPs in 5 s, to be done again
    scheduler.worker_idle(1);
    EXPECT_TRUE(scheduler.over());
    EXPECT_TRUE(scheduler.assign(5).empty());
    EXPECT_DOUBLE_EQ(scheduler.remaining_rank_seconds(), (20 + 10) / 2.0);
}

TEST(Scheduler, startsNothingThatWouldBeStoppedAgainSoon) {
    // One FLOP/s: trials of 100, 40 and 10 seconds, and 50 seconds to the end.
    Scheduler scheduler = with_workers({{0, 100, 1}, {1, 40, 1}, {2, 10, 1}}, 0, 1);
    scheduler.measured(0, 1, 1);
    scheduler.ends_at(50, 60);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{1, Ranks{1}}})) << "the longest that can end";
    scheduler.finished(1, 1, 40);
    scheduler.worker_idle(1);
    EXPECT_EQ(scheduler.assign(40), (std::vector<Assignment>{{2, Ranks{1}}})) << "to the second";
    scheduler.finished(2, 1, 50);
    scheduler.worker_idle(1);
    EXPECT_FALSE(scheduler.stopped());
    EXPECT_TRUE(scheduler.assign(50).empty());
    EXPECT_TRUE(scheduler.stopped()) << "nothing runs and nothing may start";
    EXPECT_TRUE(scheduler.over());
    EXPECT_GT(scheduler.remaining_rank_seconds(), 0);
}

TEST(Scheduler, startsWhatCannotEndWhileItIsWorthItsCheckpoint) {
    Scheduler scheduler = with_workers({{0, 100, 1}, {1, 40, 1}}, 0, 1);
    scheduler.measured(0, 1, 1);
    scheduler.ends_at(70, 60);
    EXPECT_EQ(scheduler.assign(10), (std::vector<Assignment>{{0, Ranks{1}}}));
}

TEST(Scheduler, waitsForWhatRunsBeforeItStopsForTheEnd) {
    Scheduler scheduler = with_workers({{0, 100, 1}, {1, 90, 1}}, 0, 2);
    scheduler.measured(0, 1, 1);
    scheduler.ends_at(95, 200);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{1, Ranks{1}}}));
    EXPECT_TRUE(scheduler.assign(1).empty());
    EXPECT_FALSE(scheduler.stopped());
    EXPECT_FALSE(scheduler.over());
}

TEST(Scheduler, givesATrialThatWaitsAgainTheRanksItNeeds) {
    Scheduler scheduler = with_workers({{0, 4, 4}, {1, 4, 4}}, 0, 2);
    scheduler.measured(0, 1, 1);
    ASSERT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1}}, {1, Ranks{2}}}));
    scheduler.again(0, 2, 0, 1);
    scheduler.worker_idle(1);
    EXPECT_TRUE(scheduler.assign(1).empty()) << "one rank is not enough";
    scheduler.finished(1, 1, 4);
    scheduler.worker_idle(2);
    EXPECT_EQ(scheduler.assign(4), (std::vector<Assignment>{{0, Ranks{1, 2}}}));
    scheduler.finished(0, 1, 8);
    EXPECT_TRUE(scheduler.over());
}

TEST(Scheduler, startsABranchWhenItsTrunkHasEnded) {
    Scheduler scheduler({{.trial = 0, .flops = 4},
                         {.trial = 1, .flops = 1, .after = 0},
                         {.trial = 2, .flops = 2, .after = 0},
                         {.trial = 3, .flops = 5}},
                        0);
    for (const int rank : {1, 2})
        scheduler.worker_idle(rank);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1}}, {3, Ranks{2}}}))
        << "4 with a branch of 2 is longer than 5";
    scheduler.finished(3, 1, 5);
    scheduler.worker_idle(2);
    EXPECT_TRUE(scheduler.assign(5).empty()) << "nothing else waits";
    EXPECT_FALSE(scheduler.over());
    scheduler.finished(0, 1, 6);
    scheduler.worker_idle(1);
    EXPECT_EQ(scheduler.assign(6), (std::vector<Assignment>{{2, Ranks{1}}, {1, Ranks{2}}}));
}

TEST(Scheduler, runsATrialAgainWhoseRankIsLost) {
    Scheduler scheduler = with_workers({{0, 4, 1}, {1, 3, 1}}, 0, 2);
    scheduler.assign(0);
    scheduler.worker_lost(1);
    scheduler.lost(0);
    EXPECT_FALSE(scheduler.over());
    scheduler.finished(1, 1, 3);
    scheduler.worker_idle(2);
    EXPECT_EQ(scheduler.assign(3), (std::vector<Assignment>{{0, Ranks{2}}}));
}

TEST(Scheduler, takesBackATrialThatStillWaits) {
    Scheduler scheduler = with_workers({{0, 4, 1}, {1, 3, 1}}, 0, 2);
    scheduler.assign(0);
    scheduler.worker_lost(1);
    scheduler.lost(0);
    EXPECT_TRUE(scheduler.take_back(0, {1}, 2));
    EXPECT_FALSE(scheduler.take_back(0, {1}, 2)) << "it does not wait any more";
    scheduler.finished(1, 1, 3);
    scheduler.worker_idle(2);
    EXPECT_TRUE(scheduler.assign(3).empty());
    scheduler.finished(0, 1, 4);
    EXPECT_TRUE(scheduler.over());
}

TEST(Scheduler, makesSmallerGroupsWhereFewRanksAreLeft) {
    Scheduler scheduler = with_workers({{0, 8, 4}, {1, 4, 4}}, 4, 4);
    EXPECT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1, 2, 3, 4}}}));
    scheduler.worker_lost(3);
    scheduler.lost(0);
    for (const int rank : {1, 2, 4})
        scheduler.worker_idle(rank);
    EXPECT_EQ(scheduler.assign(1), (std::vector<Assignment>{{0, Ranks{1, 2}}}))
        << "the job asks for 4, but three are left";
}

TEST(Scheduler, givesATrialThatWaitsAgainAGroupOfTheSizeTheJobAsksFor) {
    Scheduler scheduler = with_workers({{0, 4, 2}, {1, 4, 2}, {2, 4, 2}}, 2, 2);
    ASSERT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, Ranks{1, 2}}}));
    scheduler.again(0, 1, 0.5, 0.001);  // before the next plan is due
    scheduler.worker_idle(1);
    EXPECT_TRUE(scheduler.assign(0.001).empty()) << "one rank is no group";
    scheduler.worker_idle(2);
    ASSERT_EQ(scheduler.assign(0.001).size(), 1u);
}

namespace {

/// Two trials that were thought equally long, on two workers: one has ended after 50 s, the other has done a
/// quarter.
Scheduler with_a_late_trial(int ranks_per_trial = 0, int most_ranks = 2) {
    Scheduler scheduler = with_workers({{0, 100e9, most_ranks}, {1, 100e9, most_ranks}}, ranks_per_trial, 2);
    scheduler.assign(0);
    scheduler.finished(1, 1, 50);
    scheduler.worker_idle(2);
    scheduler.progressed(0, 0.25, 50);
    return scheduler;
}

}  // namespace

TEST(Scheduler, letsAnIdleRankJoinALateTrial) {
    Scheduler scheduler = with_a_late_trial();
    EXPECT_TRUE(scheduler.assign(50).empty());
    EXPECT_EQ(scheduler.to_pause(50), std::vector<int>{0});
    EXPECT_TRUE(scheduler.to_pause(60).empty()) << "it has been asked";
    scheduler.paused({.trial = 0, .flops = 70e9, .most_ranks = 2}, 0.3, 60);
    scheduler.worker_idle(1);
    EXPECT_EQ(scheduler.assign(60), (std::vector<Assignment>{{0, {1, 2}}}));
    // A quarter of 100e9 FLOPs in 50 s, then .05 of them in 10: what is left goes at that speed on 1.88
    // ranks.
    EXPECT_NEAR(scheduler.remaining_rank_seconds(), 70e9 / (130e9 / 110), 1e-9 * 70e9);
}

TEST(Scheduler, leavesALateTrialAloneWhereItMayNotHaveMoreRanks) {
    EXPECT_TRUE(with_a_late_trial(1).to_pause(50).empty()) << "the job says how many";
    EXPECT_TRUE(with_a_late_trial(0, 1).to_pause(50).empty()) << "it has one leaf";
    Scheduler ending = with_a_late_trial();
    ending.ends_at(70, 30);
    EXPECT_TRUE(ending.to_pause(50).empty()) << "it would not be started again";
}

TEST(Scheduler, pausesNoTrialTwiceWhoseCheckpointWasNotKept) {
    Scheduler scheduler = with_a_late_trial(0, 4);
    scheduler.worker_idle(3);
    scheduler.worker_idle(4);
    ASSERT_EQ(scheduler.to_pause(50), std::vector<int>{0});
    scheduler.worker_lost(3);
    scheduler.worker_lost(4);
    scheduler.paused({.trial = 0, .flops = 100e9, .most_ranks = 4, .may_pause = false}, 0.3, 60);
    scheduler.worker_idle(1);
    ASSERT_EQ(scheduler.assign(60), (std::vector<Assignment>{{0, {1, 2}}})) << "on as many as there are";
    scheduler.progressed(0, 0.1, 120);
    scheduler.worker_idle(3);
    scheduler.worker_idle(4);
    EXPECT_TRUE(scheduler.to_pause(120).empty());
}

TEST(Scheduler, asksLessReadilyWherePausesHaveTakenLong) {
    for (const bool long_pause : {false, true}) {
        Scheduler scheduler = with_a_late_trial(0, 4);
        ASSERT_EQ(scheduler.to_pause(50), std::vector<int>{0});
        const double paused = long_pause ? 150 : 60;  // what it trained took 10 s
        scheduler.paused({.trial = 0, .flops = 70e9, .most_ranks = 4}, 0.3, paused);
        scheduler.worker_idle(1);
        ASSERT_EQ(scheduler.assign(paused), (std::vector<Assignment>{{0, {1, 2}}}));
        scheduler.progressed(0, 0.05, paused + 10);
        scheduler.worker_idle(3);
        scheduler.worker_idle(4);
        EXPECT_EQ(scheduler.to_pause(paused + 10).empty(), long_pause);
    }
}

TEST(Scheduler, keepsIdleRanksForATrialThatIsAboutToJoinThem) {
    Scheduler scheduler = with_a_late_trial();
    ASSERT_EQ(scheduler.to_pause(50), std::vector<int>{0});
    scheduler.add({.trial = 2, .flops = 1e9});
    EXPECT_TRUE(scheduler.assign(51).empty());
    EXPECT_EQ(scheduler.kept_for_pauses(51), 1);
    EXPECT_EQ(scheduler.assign(51 + 2 * usual_pausing_seconds), (std::vector<Assignment>{{2, {2}}}))
        << "it has not paused in time";
}

namespace {

/// Worker 2 trains 100 s of a trial, `done` of it by now, 1 s; then comes a trial of 300 s, and worker 1.
Scheduler with_half_of_a_group(double done, bool may_pause) {
    Scheduler scheduler({{0, 100e9, 1}}, 0);
    scheduler.worker_idle(2);
    scheduler.measured(0, 1, 1e9);
    scheduler.assign(0);
    scheduler.progressed(0, done, 1);
    scheduler.add({.trial = 1, .flops = 300e9, .most_ranks = 2, .may_pause = may_pause});
    scheduler.worker_idle(1);
    return scheduler;
}

}  // namespace

TEST(Scheduler, beginsATrialWithoutThoseOfItsGroupThatAreLongInComing) {
    EXPECT_EQ(with_half_of_a_group(0.01, true).assign(1), (std::vector<Assignment>{{1, {1}}}));
    EXPECT_TRUE(with_half_of_a_group(0.01, false).assign(1).empty()) << "they could not join it later";
    Scheduler ending = with_half_of_a_group(0.01, true);
    ending.ends_at(250, 300);  // in time with both, and with one not
    EXPECT_TRUE(ending.assign(1).empty());
}

TEST(Scheduler, waitsForThoseOfAGroupThatAreSoonThere) {
    Scheduler scheduler = with_half_of_a_group(0.96, true);
    EXPECT_TRUE(scheduler.assign(1).empty());
    scheduler.finished(0, 1, 5);
    scheduler.worker_idle(2);
    EXPECT_EQ(scheduler.assign(5), (std::vector<Assignment>{{1, {1, 2}}}));
}

TEST(Scheduler, expectsOfGroupsWhatTheyHaveShown) {
    // Timed alone a trial did 1e9 FLOP/s; two ranks did half of its 4000e9 at 1.4e9.
    Scheduler scheduler = with_workers({{0, 4000e9, 2}}, 0, 2);
    scheduler.measured(0, 1, 1e9);
    ASSERT_EQ(scheduler.assign(0), (std::vector<Assignment>{{0, {1, 2}}}));
    const double half = 2000 / 1.4;
    scheduler.lost(0);  // nothing was heard of it
    scheduler.worker_idle(1);
    scheduler.worker_idle(2);
    ASSERT_EQ(scheduler.assign(1), (std::vector<Assignment>{{0, {1, 2}}}));
    scheduler.paused({.trial = 0, .flops = 2000e9, .most_ranks = 2}, 0.5, 1 + half);
    scheduler.worker_idle(1);
    scheduler.worker_idle(2);
    DoublingEfficiency shown;
    shown.ran(0, 1, 1e9, 1);
    shown.ran(0, 2, 2000e9, half);
    EXPECT_LT(shown.value(), usual_doubling_efficiency);
    // The speed of one rank is what it did alone for a second and, by that, in the group.
    const double worth = 2 * shown.value(), alone = 2001e9 / (1 + half * worth);
    EXPECT_NEAR(scheduler.remaining_seconds(1 + half, 2), 2000e9 / alone / worth, 1e-6);
}
