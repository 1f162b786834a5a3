// Philox against the published vectors of its authors; uniform and normal numbers against their moments.
#include "data/random.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace isogrid::data {
namespace {

// Random123 1.14, tests/kat_vectors, the three lines "philox4x32 10".
TEST(Philox, givesTheVectorsItsAuthorsPublished) {
    EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
              (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomWords, differInEveryPartOfTheirAddress) {
    const PhiloxCounter words = random_words(1, RandomUse::weights, 2, 3);
    EXPECT_NE(words, random_words(2, RandomUse::weights, 2, 3));
    EXPECT_NE(words, random_words(1, RandomUse::window_order, 2, 3));
    EXPECT_NE(words, random_words(1, RandomUse::weights, 3, 3));
    EXPECT_NE(words, random_words(1, RandomUse::weights, 2, 4));
    EXPECT_NE(words, random_words(1, RandomUse::weights, 2, 3 + (std::uint64_t{1} << 32)));
}

TEST(Uniform, staysInsideTheOpenInterval) {
    EXPECT_GT(uniform(0), 0.0);
    EXPECT_LT(uniform(0xffffffff), 1.0);
    EXPECT_GT(uniform(0, 0), 0.0);
    EXPECT_LT(uniform(0xffffffff, 0xffffffff), 1.0);
    EXPECT_EQ(uniform(0x80000000), 0.5 + 0x1p-33);
}

TEST(FillNormal, dependsOnSeedStreamAndIndexOnly) {
    std::vector<float> longer(1003), shorter(501), other_stream(501), other_seed(501);
    fill_normal(longer, 7, 1, 1.0);
    fill_normal(shorter, 7, 1, 1.0);
    fill_normal(other_stream, 7, 2, 1.0);
    fill_normal(other_seed, 8, 1, 1.0);
    EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
    int shared = 0;
    for (std::size_t i = 0; i < shorter.size(); ++i)
        shared += (shorter[i] == other_stream[i]) + (shorter[i] == other_seed[i]);
    EXPECT_EQ(shared, 0);
}

TEST(FillNormal, scalesWithTheDeviation) {
    std::vector<float> unit(64), half(64);
    fill_normal(unit, 1, 0, 1.0);
    fill_normal(half, 1, 0, 0.5);
    for (std::size_t i = 0; i < unit.size(); ++i)
        EXPECT_EQ(half[i], 0.5f * unit[i]);  // halving is exact
}

// Computed apart from this code, in Python, from Philox and the formula of Box and Muller.
TEST(FillNormal, givesTheValuesOfItsFormula) {
    const std::vector<double> expected = {0.007163943528443847,  -0.007475428386675239, 0.02361082344864374,
                                          0.005645447800163576,  -0.004687072279719404, -0.04734372453978788,
                                          -0.016716778340658094, -0.014196187208304912};
    std::vector<float> values(expected.size());
    fill_normal(values, 1, 5, 0.02);
    for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_FLOAT_EQ(values[i], static_cast<float>(expected[i]));
}

// n normal numbers: the mean deviates by 1/sqrt(n), the variance by sqrt(2/n), the third moment by
// sqrt(15/n), the fourth by sqrt(96/n), the product of neighbours by 1/sqrt(n). Five deviations allowed.
TEST(FillNormal, hasTheMomentsOfANormalDistribution) {
    const std::size_t count = 400'000;
    std::vector<float> values(count);
    fill_normal(values, 1, 0, 1.0);
    double sum1 = 0, sum2 = 0, sum3 = 0, sum4 = 0, neighbours = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double x = values[i];
        sum1 += x, sum2 += x * x, sum3 += x * x * x, sum4 += x * x * x * x;
        if (i > 0) neighbours += x * values[i - 1];
    }
    const double n = static_cast<double>(count);
    EXPECT_NEAR(sum1 / n, 0, 5 * std::sqrt(1 / n));
    EXPECT_NEAR(sum2 / n, 1, 5 * std::sqrt(2 / n));
    EXPECT_NEAR(sum3 / n, 0, 5 * std::sqrt(15 / n));
    EXPECT_NEAR(sum4 / n, 3, 5 * std::sqrt(96 / n));
    EXPECT_NEAR(neighbours / n, 0, 5 * std::sqrt(1 / n));
}

}  // namespace
}  // namespace isogrid::data
