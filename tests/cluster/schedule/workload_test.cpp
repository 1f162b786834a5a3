#include "cluster/schedule/workload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/small_study.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Workload, countsAnEvaluatedTokenAsAThird) {
    study::Trial trial = test::study_of({1e9}).grid.trials[0].trial;  // 4 tokens a step, 2 evaluations of 8
    EXPECT_DOUBLE_EQ(steps_worth(trial), 10 + 2 * 8 / 4.0 / 3);
}

TEST(Workload, isMeasuredOnceAShapeWhereTrialsAreFewAndLong) {
    study::Study study = test::study_of({1e13, 1e13, 1e13});
    study.grid.trials[1].trial.shape.width = 16;
    EXPECT_THAT(worth_measuring(study, 1), ElementsAre(0, 1)) << "the third has the shape of the first";
    EXPECT_THAT(worth_measuring(study, 8), ElementsAre(0, 1));
    EXPECT_THAT(worth_measuring(study, 1000), IsEmpty()) << "seconds of work for each";
    EXPECT_THAT(worth_measuring(test::study_of({1e9, 1e9}), 2), IsEmpty()) << "over before it is measured";
    EXPECT_THAT(worth_measuring(test::study_of(std::vector<double>(16, 1e13)), 2), IsEmpty())
        << "8 trials a worker share well by themselves";
}
