// The tree's sum has the same bits on any number of ranks, and is a tree's.
#include "train/reduction_tree.hpp"

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "data/random.hpp"
#include "train/thread_group.hpp"

namespace isogrid::tests {
namespace {

constexpr std::int64_t leaves = 8, floats = 1000;

std::vector<float> leaf_values(std::int64_t leaf) {
    std::vector<float> values(floats);
    data::fill_normal(values, 99, static_cast<std::uint32_t>(leaf), 1.0);
    return values;
}

void compute_leaf(std::int64_t leaf, std::span<float> gradient, std::span<double> sums, int,
                  const graph::GradientsFinal&) {
    const std::vector<float> values = leaf_values(leaf);
    std::copy(values.begin(), values.end(), gradient.begin());
    sums[0] += 0.1 * static_cast<double>(leaf + 1);
}

struct Sum {
    std::vector<float> gradient;
    double loss = 0;
};

Sum reduce_with(train::Communicator& group, int threads) {
    const auto backend = kernels::make_reference_backend();
    train::ThreadTeam team(threads);
    train::ReductionTree tree(leaves, floats, /*sums=*/1, *backend, group, team);
    tree.sum_leaves(compute_leaf);
    tree.sum_ranks(/*stop=*/false);
    return {{tree.gradient().begin(), tree.gradient().end()}, tree.sums()[0]};
}

Sum reduce_on(train::Communicator& group) {
    return reduce_with(group, 1);
}

TEST(ReductionTree, isTheBinaryTreeOverLeaves) {
    std::vector<std::vector<float>> level;
    for (std::int64_t leaf = 0; leaf < leaves; ++leaf)
        level.push_back(leaf_values(leaf));
    while (level.size() > 1) {
        std::vector<std::vector<float>> above;
        for (std::size_t pair = 0; pair < level.size(); pair += 2) {
            above.push_back(level[pair]);
            for (std::size_t i = 0; i < above.back().size(); ++i)
                above.back()[i] += level[pair + 1][i];
        }
        level = above;
    }
    train::Alone alone;
    EXPECT_EQ(reduce_on(alone).gradient, level.front());
}

TEST(ReductionTree, givesTheSameBitsOnAnyNumberOfRanks) {
    train::Alone alone;
    const Sum expected = reduce_on(alone);
    for (const int ranks : {2, 4, 8}) {
        for (const Sum& sum : on_ranks<Sum>(ranks, reduce_on)) {
            EXPECT_EQ(sum.gradient, expected.gradient) << ranks << " ranks";
            EXPECT_EQ(sum.loss, expected.loss) << ranks << " ranks";
        }
    }
}

TEST(ReductionTree, givesTheSameBitsOnAnyNumberOfThreads) {
    train::Alone alone;
    const Sum expected = reduce_on(alone);
    for (const int threads : {2, 3, 4, 8, 16}) {  // those without leaves of their own have nothing to do
        const Sum sum = reduce_with(alone, threads);
        EXPECT_EQ(sum.gradient, expected.gradient) << threads << " threads";
        EXPECT_EQ(sum.loss, expected.loss) << threads << " threads";
    }
    for (const Sum& sum :
         on_ranks<Sum>(2, [](train::Communicator& group) { return reduce_with(group, 2); })) {
        EXPECT_EQ(sum.gradient, expected.gradient);
        EXPECT_EQ(sum.loss, expected.loss);
    }
}

TEST(ReductionTree, aPlainSumInOrderWouldHaveOtherBits) {
    // Guards the two tests above: if order did not matter for these values, they could not fail.
    std::vector<float> plain(floats, 0.0f);
    for (std::int64_t leaf = 0; leaf < leaves; ++leaf)
        for (std::size_t i = 0; i < plain.size(); ++i)
            plain[i] += leaf_values(leaf)[i];
    train::Alone alone;
    EXPECT_NE(reduce_on(alone).gradient, plain);
}

TEST(ReductionTree, tellsEveryRankThatOneWasAskedToStop) {
    for (const int asked : {2, 4}) {  // the third rank, or none
        const auto stops = on_ranks<int>(4, [asked](train::Communicator& group) {
            const auto backend = kernels::make_reference_backend();
            train::ThreadTeam team(1);
            train::ReductionTree tree(leaves, floats, /*sums=*/1, *backend, group, team);
            tree.sum_leaves(compute_leaf);
            return tree.sum_ranks(group.rank() == asked) ? 1 : 0;
        });
        EXPECT_EQ(stops, std::vector<int>(4, asked < 4 ? 1 : 0));
    }
}

TEST(ThreadTeam, callsEveryMemberAndPassesOnWhatOneThrows) {
    train::ThreadTeam team(3);
    for (int round = 0; round < 100; ++round) {
        std::array<int, 3> calls{};
        team.run([&](int member) { ++calls[static_cast<std::size_t>(member)]; });
        EXPECT_EQ(calls, (std::array<int, 3>{1, 1, 1}));
    }
    EXPECT_THROW(team.run([](int member) {
        if (member == 2) throw std::runtime_error("full");
    }),
                 std::runtime_error);
    int calls = 0;
    team.run([&](int member) {  // goes on afterwards
        if (member == 0) ++calls;
    });
    EXPECT_EQ(calls, 1);
}

TEST(ThreadTeam, passesOnOneExceptionOfARoundAndNoneLater) {
    train::ThreadTeam team(3);
    EXPECT_THROW(team.run([](int member) {
        if (member > 0) throw std::runtime_error("full");
    }),
                 std::runtime_error);
    EXPECT_NO_THROW(team.run([](int) {}));
}

TEST(ThreadTeam, isNotMadeWhereTheSystemGivesTooFewThreads) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers reserve more memory than any limit";
#endif
    // Stacks of 8 MB each, and room for some of them, in a process of its own.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            rlimit room{};
            room.rlim_cur = room.rlim_max = rlim_t{1} << 29;
            if (setrlimit(RLIMIT_AS, &room) != 0) std::exit(2);
            try {
                train::ThreadTeam team(1000);
            } catch (const std::system_error&) {
                std::exit(0);
            }
            std::exit(1);
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace isogrid::tests
