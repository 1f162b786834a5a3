// Sweeps on simulated cards that several trials share: how long they take beside one trial a card.
#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "cluster/coordination/coordinator.hpp"
#include "cluster/small_study.hpp"
#include "simulated_transport.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using test::SimulatedTransport;

namespace {

constexpr double one_trials_speed = 1e9;

/// As fast as k trials up to `full` of them, and no faster beyond.
std::function<double(int)> saturating_at(int full) {
    return [full](int together) { return std::min(together, full); };
}

/// `trials` of `seconds` each, alone on a card; steps are short beside notes of progress.
study::Study even_study(int trials, double seconds, std::int64_t leaves = 1) {
    study::Study study = test::study_of(
        std::vector<double>(static_cast<std::size_t>(trials), seconds * one_trials_speed), leaves);
    for (study::PlannedTrial& planned : study.grid.trials) {
        planned.trial.steps *= 1000;
        planned.flops_per_token.exact /= 1000;
    }
    return study;
}

struct Course {
    double seconds;
    int together;
    std::int64_t bytes;
    double predicted = 0, idle_share = 0;
    std::vector<SimulatedTransport::Start> starts = {};
};

Course course_of(const study::Study& study, const CardPlan& plan, const std::function<double(int)>& speed) {
    const Seats& seats = plan.cards.seats;
    SimulatedTransport transport(study, seats.workers(), one_trials_speed);
    transport.seats = seats;
    transport.card_speed = speed;
    if (!plan.bytes.empty())
        transport.bytes_of = [&](int trial) { return plan.bytes[static_cast<std::size_t>(trial)]; };
    transport.report_every = 0.5;
    Sweep sweep(study, test::all_of(study), 0, seats.ranks, {}, plan);
    transport.on_wait = [&] {
        if (sweep.next_group() == 0) return;
        EXPECT_FALSE(sweep.has_room()) << "at " << transport.now() << " s";
        const int idle_cards = sweep.next_group() == 1 ? transport.idle_cards() : 0;
        EXPECT_EQ(idle_cards, 0) << "at " << transport.now() << " s";
    };
    coordinate(transport, sweep, "lease", {});
    EXPECT_EQ(sweep.done(), static_cast<int>(study.grid.trials.size()));
    EXPECT_EQ(transport.stored.size(), study.grid.trials.size());
    const SweepAccount account = sweep.account();
    return {transport.now(),           transport.most_together, transport.most_bytes,
            account.predicted_seconds, account.idle_share(),    transport.starts};
}

CardPlan cards(int number, int seats, bool measure = true) {
    return {.cards = {.seats = {.ranks = number, .each = seats}, .bytes = 0, .measure = measure}};
}

}  // namespace

TEST(PackedSweep, endsAsManyTimesEarlierAsACardHasRoomFor) {
    const study::Study study = even_study(64, 100);
    const Course alone = course_of(study, cards(2, 1), saturating_at(4));
    EXPECT_DOUBLE_EQ(alone.seconds, 3200);
    EXPECT_EQ(alone.together, 1);
    // Pinned: four trials at once, none of which is slower for it.
    const Course pinned = course_of(study, cards(2, 4, false), saturating_at(4));
    EXPECT_DOUBLE_EQ(pinned.seconds, 800);
    EXPECT_EQ(pinned.together, 4);
    // Measured: until four are known to pay a card has fewer, for some seconds each; and one more was tried.
    const Course measured = course_of(study, cards(2, 8), saturating_at(4));
    EXPECT_EQ(measured.together, 5);
    EXPECT_LT(measured.seconds, 1.15 * pinned.seconds);
    EXPECT_LT(measured.idle_share, 0.05) << "a card's time is shared between its trials";
}

TEST(PackedSweep, loosesNothingWhereACardIsFullWithOneTrial) {
    const study::Study study = even_study(16, 100);
    const Course measured = course_of(study, cards(2, 8), saturating_at(1));
    EXPECT_EQ(measured.together, 2) << "tried once";
    EXPECT_LT(measured.seconds, 1.15 * 800);  // an odd one may be left over at the end
}

TEST(PackedSweep, putsTogetherWhatFitsTheMemoryOfACard) {
    CardPlan plan = cards(2, 8, false);
    plan.cards.bytes = 100;
    const study::Study study = even_study(32, 50);
    for (int trial = 0; trial < 32; ++trial)
        plan.bytes.push_back(10 + trial % 4 * 15);
    const Course course = course_of(study, plan, saturating_at(8));
    EXPECT_LE(course.bytes, 100);
    EXPECT_GT(course.together, 2);
    EXPECT_LT(course.seconds, 800 / 2);  // alone: 32 trials of 50 s on two cards
}

TEST(PackedSweep, predictsItsEndFromWhatCardsDoTogether) {
    // The first prediction is that of one trial alone, by whose speed; later ones know better.
    const study::Study study = even_study(64, 100);
    SimulatedTransport transport(study, 8, one_trials_speed);
    const CardPlan plan = cards(2, 4, false);
    transport.seats = plan.cards.seats;
    transport.card_speed = saturating_at(2);
    transport.report_every = 0.5;
    Sweep sweep(study, test::all_of(study), 0, 2, {}, plan);
    double predicted = 0;
    coordinate(transport, sweep, "lease",
               {.keep_going =
                    [&](const Sweep& now) {
                        if (predicted == 0 && transport.now() > 400)
                            predicted =
                                transport.now() + now.state(transport.now()).remaining_seconds.value();
                        return true;
                    },
                .on_finished = [](const Sweep&, const Finished&) {}});
    EXPECT_DOUBLE_EQ(transport.now(), 1600);
    EXPECT_NEAR(predicted, 1600, 1600 * 0.02);
}

TEST(PackedSweep, givesGroupsOfRanksCardsOfTheirOwn) {
    // One trial as long as all others together: cards share it, and no other comes beside it.
    study::Study study = even_study(9, 100, 4);
    study.grid.trials[0].flops_per_token.exact *= 16;
    const Course course = course_of(study, cards(4, 4), saturating_at(1));
    const auto longest =
        std::find_if(course.starts.begin(), course.starts.end(),
                     [](const SimulatedTransport::Start& start) { return start.trial == 0; });
    ASSERT_NE(longest, course.starts.end());
    EXPECT_LT(course.seconds, 1600) << "as long as it takes alone";
}

TEST(PackedSweep, triesATrialAloneThatLackedMemoryAmongOthers) {
    const study::Study study = even_study(8, 10);
    SimulatedTransport transport(study, 4, one_trials_speed);
    CardPlan plan = cards(1, 4, false);
    plan.bytes.assign(8, 1);
    transport.seats = plan.cards.seats;
    transport.card_speed = saturating_at(4);
    transport.outcomes = {{3, archive::Outcome::out_of_memory}};
    Sweep sweep(study, test::all_of(study), 0, 1, {}, plan);
    coordinate(transport, sweep, "lease", {});
    int attempts = 0;
    double began = 0;
    for (const auto& start : transport.starts)
        if (start.trial == 3) {
            ++attempts;
            began = start.time;
        }
    EXPECT_EQ(attempts, 2) << "among others, and alone; a card more there is not";
    for (const auto& start : transport.starts)
        EXPECT_TRUE(start.trial == 3 || start.time != began);
    EXPECT_EQ(sweep.done(), 8);
    ASSERT_EQ(sweep.totals().failed.size(), 1u);
    EXPECT_EQ(sweep.totals().failed[0].outcome, "out_of_memory");
}

TEST(PackedSweep, losesNoTrialWhenACardsProcessIsGone) {
    const study::Study study = even_study(40, 100);
    const CardPlan plan = cards(2, 4, false);
    test::Faults faults;
    for (int seat = 0; seat < 4; ++seat)
        faults.dies_at[plan.cards.seats.worker(2, seat)] = 250;
    SimulatedTransport transport(study, 8, one_trials_speed, faults);
    transport.seats = plan.cards.seats;
    transport.card_speed = saturating_at(4);
    transport.host_of = [&](int worker) { return "node" + std::to_string(plan.cards.seats.rank_of(worker)); };
    transport.longest_wait = 5;
    Sweep sweep(study, test::all_of(study), 0, 2, {}, plan);
    int gone = 0, aside = 0;
    coordinate(
        transport, sweep, "lease",
        {.on_finished = [](const Sweep&, const Finished&) {},
         .say = [&](const std::string& text) { gone += text.find("is given up") != std::string::npos; },
         .on_host_set_aside = [&](const std::string&, const std::vector<int>&) { ++aside; }},
        60);
    EXPECT_EQ(gone, 4);
    EXPECT_EQ(aside, 0) << "four seats of one process are one trouble";
    EXPECT_EQ(sweep.done(), 40);
    for (const auto& [trial, times] : transport.stored)
        EXPECT_EQ(times, 1);
}
