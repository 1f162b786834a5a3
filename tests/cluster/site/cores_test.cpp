// Nodes on paper, and the cores of this one.
#include "cluster/site/cores.hpp"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace isogrid::cluster;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using Kind = Place::Kind;

namespace {

int itself(int core) {
    return core;
}

std::vector<Place> places(const std::vector<Cores>& allowed, int threads = 1,
                          const PhysicalCore& physical = itself) {
    return place_workers(allowed, threads, physical);
}

Place pinned(Cores cores) {
    return {Kind::pinned, std::move(cores)};
}

const Place left = {}, bound = {Kind::bound}, crowded = {Kind::crowded}, narrow = {Kind::narrow};

}  // namespace

TEST(Cores, areOneAWorkerInTheOrderOfRanks) {
    EXPECT_THAT(places({{0, 1}, {0, 1}}), ElementsAre(pinned({0}), pinned({1})));
    EXPECT_THAT(places({{4, 5, 6, 7}, {4, 5, 6, 7}, {4, 5, 6, 7}}),
                ElementsAre(pinned({4}), pinned({5}), pinned({6})));
}

TEST(Cores, areAsManyAsAWorkerHasThreads) {
    EXPECT_THAT(places({{0, 1, 2, 3}, {0, 1, 2, 3}}, 2), ElementsAre(pinned({0, 1}), pinned({2, 3})));
}

TEST(Cores, areTheLaunchersWhereItBoundItsRanks) {
    EXPECT_THAT(places({{0}, {1}}), ElementsAre(bound, bound));
    EXPECT_THAT(places({{0}, {0}}), ElementsAre(bound, bound)) << "two on a core: it must know why";
    EXPECT_THAT(places({{0, 1}, {2, 3}}, 2), ElementsAre(bound, bound));
    EXPECT_THAT(places({{1}, {0, 1, 2}, {0, 1, 2}}), ElementsAre(bound, pinned({0}), pinned({2})));
}

TEST(Cores, areSharedWithinASocketWhereTheLauncherBoundToSockets) {
    EXPECT_THAT(places({{0, 1}, {2, 3}, {0, 1}, {2, 3}}),
                ElementsAre(pinned({0}), pinned({2}), pinned({1}), pinned({3})));
}

TEST(Cores, goToTheWorkersWithTheLeastChoiceFirst) {
    EXPECT_THAT(places({{0, 1, 2}, {0, 1}, {0, 1}}), ElementsAre(pinned({2}), pinned({0}), pinned({1})));
}

TEST(Cores, stayAsTheyAreWhereWorkersAreMoreThanCores) {
    EXPECT_THAT(places({{0, 1}, {0, 1}, {0, 1}}), Each(crowded));
    EXPECT_THAT(places({{0, 1, 2}, {0, 1, 2}}, 2), Each(crowded));
}

TEST(Cores, stayAsTheyAreWhereAnotherSweepWouldFitBesideThisOne) {
    EXPECT_THAT(places({{0, 1}}), Each(left));
    EXPECT_THAT(places({{0, 1, 2, 3}, {0, 1, 2, 3}}), Each(left));
    EXPECT_THAT(places({{0, 1, 2}, {0, 1, 2}}), ElementsAre(pinned({0}), pinned({1})));
}

TEST(Cores, stayAsTheyAreWhereTheyAreNotKnownOrTooFew) {
    EXPECT_THAT(places({{}, {}}), Each(left));
    EXPECT_THAT(places({{0}, {1}}, 4), Each(narrow));
    EXPECT_THAT(places({}), ElementsAre());
}

TEST(Cores, areOfDifferentPhysicalCoresAsLongAsThereAreSuch) {
    const PhysicalCore pairs = [](int core) { return core / 2; };  // 0 and 1 are threads of one
    const Cores eight = {0, 1, 2, 3, 4, 5, 6, 7};
    EXPECT_THAT(places({eight, eight, eight}, 1, pairs), ElementsAre(pinned({0}), pinned({2}), pinned({4})));
    EXPECT_THAT(places({eight, eight, eight, eight, eight}, 1, pairs),
                ElementsAre(pinned({0}), pinned({2}), pinned({4}), pinned({6}), pinned({1})));
}

TEST(Cores, holdTheThreadThatPinsItself) {
    const Cores before = allowed_cores();
    if (before.empty()) GTEST_SKIP() << "this machine's cores are not known, or not ours alone";
    std::thread([&] {
        EXPECT_TRUE(pin_to({before.back()}));
        EXPECT_EQ(sched_getcpu(), before.back());
        EXPECT_THAT(allowed_cores(), ElementsAre(before.back()));
    }).join();
    EXPECT_EQ(allowed_cores(), before) << "other threads stay where they were";
    EXPECT_LE(physical_core(before.back()), before.back());
}
