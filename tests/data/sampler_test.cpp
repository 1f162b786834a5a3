// The sampler visits every window once an epoch, in an order that depends on seed, epoch and position only.
#include "data/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace isogrid::data {
namespace {

/// Windows in the order of positions first .. first + count - 1.
std::vector<std::int64_t> order(const Sampler& sampler, std::int64_t context, std::int64_t first,
                                std::int64_t count) {
    std::vector<std::int64_t> windows;
    for (std::int64_t position = first; position < first + count; ++position)
        windows.push_back(sampler.window_start(position) / context);
    return windows;
}

TEST(Sampler, cutsTheTrainingPartIntoWholeWindows) {
    EXPECT_EQ(Sampler(1, 9, 8).windows(), 1);   // 8 inputs and the last target
    EXPECT_EQ(Sampler(1, 16, 8).windows(), 1);  // a second window would lack its last target
    EXPECT_EQ(Sampler(1, 17, 8).windows(), 2);
    EXPECT_EQ(Sampler(1, 1000, 8).windows(), 124);
}

class SamplerOfSize : public testing::TestWithParam<std::int64_t> {};

TEST_P(SamplerOfSize, visitsEveryWindowOnceAnEpoch) {
    const std::int64_t windows = GetParam(), context = 4;
    const Sampler sampler(5, windows * context + 1, context);
    ASSERT_EQ(sampler.windows(), windows);
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
        const auto visited = order(sampler, context, epoch * windows, windows);
        const std::set<std::int64_t> distinct(visited.begin(), visited.end());
        EXPECT_EQ(distinct.size(), static_cast<std::size_t>(windows));
        EXPECT_EQ(*distinct.begin(), 0);
        EXPECT_EQ(*distinct.rbegin(), windows - 1);
    }
}
INSTANTIATE_TEST_SUITE_P(Windows, SamplerOfSize, testing::Values(1, 2, 3, 4, 5, 16, 17, 255, 1000, 4097));

TEST(Sampler, keepsEveryWindowAndItsLastTargetInsideTheTrainingPart) {
    const std::int64_t tokens = 1000, context = 7;
    const Sampler sampler(3, tokens, context);
    for (std::int64_t sequence = 0; sequence < 2 * sampler.windows(); ++sequence) {
        const std::int64_t start = sampler.window_start(sequence);
        EXPECT_EQ(start % context, 0);
        EXPECT_GE(start, 0);
        EXPECT_LT(start + context, tokens);
    }
}

TEST(Sampler, ordersEpochsAndSeedsDifferently) {
    const std::int64_t context = 4, windows = 1000, tokens = windows * context + 1;
    const Sampler sampler(1, tokens, context), other_seed(2, tokens, context);
    const auto first = order(sampler, context, 0, windows);
    const auto second = order(sampler, context, windows, windows);
    const auto other = order(other_seed, context, 0, windows);
    const auto agreements = [&](const auto& a, const auto& b) {
        int count = 0;
        for (std::size_t i = 0; i < a.size(); ++i)
            count += a[i] == b[i];
        return count;
    };
    // Two random permutations agree in one place on average (Poisson): more than 10 has probability 1e-8.
    EXPECT_LE(agreements(first, second), 10);
    EXPECT_LE(agreements(first, other), 10);
    EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
}

// Which place window 0 takes is uniform over many seeds: chi-squared with 9 degrees of freedom exceeds 40
// with probability 1e-5, and the seeds are fixed.
TEST(Sampler, givesAWindowEveryPlaceEquallyOften) {
    const std::int64_t windows = 10, seeds = 5000;
    std::vector<double> places(windows, 0);
    for (std::int64_t seed = 0; seed < seeds; ++seed) {
        const auto visited = order(Sampler(static_cast<std::uint64_t>(seed), windows + 1, 1), 1, 0, windows);
        places[static_cast<std::size_t>(std::find(visited.begin(), visited.end(), 0) - visited.begin())] += 1;
    }
    const double expected = static_cast<double>(seeds) / windows;
    double chi_squared = 0;
    for (const double seen : places)
        chi_squared += (seen - expected) * (seen - expected) / expected;
    EXPECT_LT(chi_squared, 40);
}

TEST(Sampler, drawsAPartOfTheTextFromAllOfIt) {
    constexpr std::int64_t context = 10, all = 1000;
    const auto part = [&](std::int64_t windows) {
        const Sampler sampler(3, all * context + 1, windows * context + 1, context);
        EXPECT_EQ(sampler.windows(), windows);
        std::set<std::int64_t> starts;
        for (std::int64_t i = 0; i < windows; ++i)
            starts.insert(sampler.window_start(i));
        EXPECT_EQ(starts.size(), windows) << "each window once an epoch";
        std::set<std::int64_t> again;
        for (std::int64_t i = windows; i < 2 * windows; ++i)
            again.insert(sampler.window_start(i));
        EXPECT_EQ(starts, again) << "and the same windows in every epoch";
        return starts;
    };
    const auto hundred = part(100), two_hundred = part(200);
    EXPECT_TRUE(std::ranges::includes(two_hundred, hundred));
    // Of 200 windows drawn from 1,000 the mean place has a deviation of 1000 / sqrt(12 * 200) * sqrt(0.8)
    // = 18.
    double mean = 0;
    for (const std::int64_t start : two_hundred)
        mean += static_cast<double>(start) / context / 200;
    EXPECT_NEAR(mean, 500, 4 * 18);
    EXPECT_EQ(part(all).size(), all);
}

// Trials of archives already made depend on these; a change needs a new study::numerics_version.
TEST(Sampler, keepsTheOrderItAlwaysHad) {
    EXPECT_EQ(order(Sampler(1, 1001, 10), 10, 0, 8),
              (std::vector<std::int64_t>{84, 49, 74, 85, 21, 48, 82, 47}));
    EXPECT_EQ(Sampler(1, 30'000'000, 128).window_start(100'000 * 16 + 7), 4'014'848);
    EXPECT_EQ(order(Sampler(1, 1001, 31, 10), 10, 0, 6), (std::vector<std::int64_t>{30, 78, 65, 65, 78, 30}));
}

}  // namespace
}  // namespace isogrid::data
