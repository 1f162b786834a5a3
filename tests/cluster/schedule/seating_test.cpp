#include "cluster/schedule/seating.hpp"

#include <gtest/gtest.h>

using namespace isogrid::cluster;
using Workers = std::vector<int>;

namespace {

/// Two cards of four seats, all idle: workers 1, 3, 5, 7 and 2, 4, 6, 8.
class TwoCards : public testing::Test {
  protected:
    explicit TwoCards(bool measure = false)
        : seating_({.seats = {.ranks = 2, .each = 4}, .bytes = 100, .measure = measure}) {
        for (int worker = 1; worker <= 8; ++worker)
            seating_.idle(worker, 0);
    }
    /// Where it went.
    Workers start(const Task& task, int group = 1) {
        const Workers workers = seating_.seats_for(task, group);
        seating_.take(workers, task, now_++);
        return workers;
    }

    Seating seating_;
    double now_ = 1;
};

class MeasuredCards : public TwoCards {
  protected:
    MeasuredCards() : TwoCards(true) {}
};

}  // namespace

TEST(Seats, areNumberedByRankFirstAndThenBySeat) {
    constexpr Seats seats{.ranks = 3, .each = 4};
    EXPECT_EQ(seats.workers(), 12);
    for (int rank = 1; rank <= 3; ++rank) {
        EXPECT_EQ(seats.worker(rank, 0), rank);
        for (int seat = 0; seat < 4; ++seat) {
            EXPECT_EQ(seats.rank_of(seats.worker(rank, seat)), rank);
            EXPECT_EQ(seats.seat_of(seats.worker(rank, seat)), seat);
        }
    }
    constexpr Seats one;
    EXPECT_EQ(one.rank_of(0), 0) << "a program alone";
    EXPECT_EQ(one.rank_of(9), 9);
}

TEST(Seating, ofOneSeatEachIsASetOfIdleRanks) {
    Seating seating(Cards{});
    for (const int rank : {3, 1, 7, 5})
        seating.idle(rank, 0);
    EXPECT_EQ(seating.seats_for({}, 2), (Workers{1, 3}));
    EXPECT_TRUE(seating.seats_for({}, 8).empty());
    seating.take({1, 3}, {}, 1);
    EXPECT_EQ(seating.seats_for({}, 1), Workers{5});
    EXPECT_EQ(seating.cards_there(), 4);
    seating.gone(3, 2);
    seating.gone(5, 2);
    EXPECT_EQ(seating.cards_there(), 2);
    EXPECT_TRUE(seating.has_alone({}, 1));
}

TEST_F(TwoCards, fillTogether) {
    EXPECT_EQ(start({.trial = 0}), Workers{1});
    EXPECT_EQ(start({.trial = 1}), Workers{2});
    EXPECT_EQ(start({.trial = 2}), Workers{3});
    EXPECT_EQ(start({.trial = 3}), Workers{4});
    EXPECT_EQ(seating_.together(7), 2);
    EXPECT_EQ(seating_.trials_beside(7), (std::vector<int>{0, 2}));
    EXPECT_EQ(seating_.changed_at(1), 3);
    seating_.idle(1, 9);
    EXPECT_EQ(seating_.changed_at(3), 9);
    EXPECT_EQ(seating_.together(3), 1);
    EXPECT_EQ(start({.trial = 4}), Workers{1});
    EXPECT_EQ(seating_.trials_by_card(), (std::vector<std::vector<int>>{{4, 2}, {1, 3}}));
}

TEST_F(TwoCards, takeWhatFitsTheirMemory) {
    EXPECT_EQ(start({.trial = 0, .bytes = 60}), Workers{1});
    EXPECT_EQ(start({.trial = 1, .bytes = 90}), Workers{2});
    EXPECT_TRUE(seating_.seats_for({.bytes = 41}, 1).empty());
    EXPECT_EQ(start({.trial = 2, .bytes = 40}), Workers{3});
    EXPECT_EQ(start({.trial = 3, .bytes = 10}), Workers{4});
    EXPECT_TRUE(seating_.seats_for({.bytes = 1}, 1).empty());
    for (const int worker : {1, 3})
        seating_.idle(worker, 9);
    EXPECT_EQ(start({.trial = 4, .bytes = 1000}), Workers{1}) << "whether it fits, only trying shows";
    EXPECT_TRUE(seating_.seats_for({.bytes = 1}, 1).empty());
}

TEST_F(TwoCards, giveGroupsAndTrialsThatNeedItWholeCards) {
    EXPECT_EQ(start({.trial = 0}), Workers{1});
    EXPECT_TRUE(seating_.seats_for({}, 2).empty()) << "one card is in use";
    EXPECT_EQ(start({.trial = 1, .alone = true}), Workers{2});
    EXPECT_EQ(start({.trial = 2}), Workers{3}) << "not beside the trial that is alone";
    EXPECT_TRUE(seating_.seats_for({.alone = true}, 1).empty());
    for (const int worker : {1, 2, 3})
        seating_.idle(worker, 9);
    EXPECT_EQ(start({.trial = 3}, 2), (Workers{1, 2}));
    EXPECT_TRUE(seating_.seats_for({}, 1).empty());
}

TEST_F(TwoCards, countNoLongerWithWorkersThatAreGone) {
    for (const int worker : {1, 3, 5})
        seating_.gone(worker, 1);
    EXPECT_EQ(seating_.cards_there(), 2);
    EXPECT_EQ(seating_.seats_for({}, 2), (Workers{2, 7}));
    seating_.gone(7, 1);
    EXPECT_EQ(seating_.cards_there(), 1);
    EXPECT_TRUE(seating_.seats_for({}, 2).empty());
}

TEST_F(MeasuredCards, haveAsManyTrialsAsPayForAllOfThem) {
    const double small = 1e6, large = 1e8, seconds = Packing::least_seconds;
    EXPECT_EQ(start({.trial = 0, .size = small}), Workers{1});
    EXPECT_EQ(start({.trial = 1, .size = large}), Workers{2});
    EXPECT_TRUE(seating_.seats_for({.size = small}, 1).empty()) << "nothing is measured";
    seating_.measured(1, small, 1, seconds);
    EXPECT_EQ(seating_.worth(small), 2);
    EXPECT_EQ(start({.trial = 2, .size = small}), Workers{3});
    seating_.measured(1, small, 2, 2 * seconds);  // twice as much together
    seating_.measured(2, large, 1, seconds);
    seating_.idle(4, 9);
    seating_.take({4}, {.trial = 3, .size = large}, 9);
    seating_.measured(2, large, 1, 2 * seconds);  // no more together
    EXPECT_EQ(seating_.worth(large), 1);
    seating_.idle(4, 10);
    EXPECT_EQ(start({.trial = 4, .size = small}), Workers{5});
    EXPECT_TRUE(seating_.seats_for({.size = small}, 1).empty()) << "the large one would lose what it gains";
}
