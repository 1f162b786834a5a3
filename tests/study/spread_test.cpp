// Points spread evenly: of sizes over a range, of evaluations over a trial.
#include "study/spread.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace isogrid::study {
namespace {

using ::testing::ElementsAre;

TEST(SpreadEvenly, takesBothEndsAndTheNearestBetween) {
    EXPECT_THAT(spread_evenly(std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8}, 5), ElementsAre(0, 2, 4, 6, 8));
    EXPECT_THAT(spread_evenly(std::vector<double>{0, 1, 4.9, 5.2, 9, 10}, 3), ElementsAre(0, 2, 5));
}

TEST(SpreadEvenly, takesEachOnceEvenWhereTheyCrowd) {
    EXPECT_THAT(spread_evenly(std::vector<double>{0, 9.7, 9.8, 9.9, 10}, 4), ElementsAre(0, 1, 2, 4));
    EXPECT_THAT(spread_evenly(std::vector<double>{0, 0.1, 0.2, 0.3, 10}, 4), ElementsAre(0, 2, 3, 4));
}

TEST(SpreadEvenly, takesAllWhenThereAreNoMore) {
    EXPECT_THAT(spread_evenly(std::vector<double>{1, 2, 3}, 7), ElementsAre(0, 1, 2));
    EXPECT_THAT(spread_evenly(std::vector<double>{}, 7), ElementsAre());
}

TEST(SpreadEvenly, takesTheMiddleWhenItTakesOne) {
    EXPECT_THAT(spread_evenly(std::vector<double>{0, 1, 4, 10}, 1), ElementsAre(2));
}

// 2% of 1000 steps is 20; five points are apart by factors of 50^(1/4) = 2.659.
TEST(EvaluationSteps, areEvenInLogTokens) {
    EXPECT_THAT(evaluation_steps(1000, 5), ElementsAre(20, 53, 141, 376, 1000));
}

TEST(EvaluationSteps, areDistinctAndEndWithTheTrial) {
    EXPECT_THAT(evaluation_steps(50, 5), ElementsAre(1, 3, 7, 19, 50));
    EXPECT_THAT(evaluation_steps(4, 10), ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(evaluation_steps(1, 10), ElementsAre(1));
    EXPECT_THAT(evaluation_steps(1000, 1), ElementsAre(1000));
}

}  // namespace
}  // namespace isogrid::study
