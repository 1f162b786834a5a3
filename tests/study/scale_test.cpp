// A scaled job: the same sizes on so much less text, and a text that says so.
#include "study/scale.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "study/job_text.hpp"

namespace isogrid::study {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string scaled(const std::string& text, double factor) {
    return with_scale(text, factor, "jobs/x.toml").value();
}

TEST(Scale, standsInTheJobsText) {
    EXPECT_EQ(scaled("# a job\n[study]\nname = \"x\"\n[run]\nscale = 3\n", 0.01),
              "# a job\n[study]\nscale = 0.01\nname = \"x\"\n[run]\nscale = 3\n");
    EXPECT_EQ(scaled("[study] # what\nscale = 0.5 # once\nscaled = 1\n", 0.25),
              "[study] # what\nscale = 0.25\nscaled = 1\n");
    EXPECT_EQ(scaled(scaled(testing::smallest_job(), 0.5), 0.1), scaled(testing::smallest_job(), 0.1));
    EXPECT_THAT(to_string(with_scale("study = {name = \"x\"}\n", 0.1, "jobs/x.toml").error()),
                HasSubstr("jobs/x.toml: cannot be scaled (no line of it is `[study]`"));
}

TEST(Scale, trainsTheSameSizesOnSoMuchLess) {
    const base::Result<Study> whole = testing::parsed(testing::smallest_job()),
                              tenth = testing::parsed(scaled(testing::smallest_job(), 0.1));
    ASSERT_TRUE(whole && tenth) << base::to_string(tenth.error());
    std::map<std::string, const PlannedTrial*> trials;
    for (const PlannedTrial& planned : whole->grid.trials)
        trials[planned.name] = &planned;
    ASSERT_EQ(tenth->grid.trials.size(), trials.size());
    for (const PlannedTrial& planned : tenth->grid.trials) {
        ASSERT_TRUE(trials.contains(planned.name)) << planned.name;
        const PlannedTrial& of_whole = *trials[planned.name];
        EXPECT_DOUBLE_EQ(planned.budget, of_whole.budget / 10);
        EXPECT_NEAR(static_cast<double>(planned.trial.steps), static_cast<double>(of_whole.trial.steps) / 10,
                    0.56);
        EXPECT_EQ(planned.trial.evaluation.tokens, 131072 / 10 / 128 * 128);
    }
    EXPECT_THAT(tenth->grid.warnings.back(), HasSubstr("multiplied by 0.1"));
}

TEST(Scale, reachesEveryTokenCount) {
    const base::Result<Study> study = testing::parsed(
        scaled(testing::edited(
                   testing::smallest_job(),
                   "[recipe]\nwarmup_tokens = 1_000_000\n"
                   "[critical_batch]\nbatches = [2, 4, 8]\ntargets = [2]\ntokens = 4_000_000\n"
                   "trunk_tokens = 2_000_000\n"
                   "[batch_ramp]\nbatches = [4, 32]\nramp = [[0, 4], [1_000_000, 8]]\ntokens = 4_000_000\n"
                   "[learning_rate]\nlearning_rates = [0.1, 0.2, 0.3, 0.4]\ntokens = [2_000_000]\n"
                   "[mup]\nlearning_rates = [0.1, 0.2, 0.3, 0.4]\ntokens = 2_000_000\n"
                   "[wsd]\nbranches = [1_000_000, 2_000_000]\ntrunk_tokens = 3_000_000\n"
                   "[repetition]\nunique_tokens = [500_000]\nepochs = [2]\n"
                   "[data_size]\ntokens = [500_000, 600_000, 700_000, 800_000, 900_000, 1_000_000]\n"
                   "[validation]\nbudgets = [1e14]\n"),
               0.1));
    ASSERT_TRUE(study) << base::to_string(study.error());
    const Job& job = study->job;
    EXPECT_EQ(job.recipe.warmup_tokens, 100'000);
    EXPECT_EQ(job.critical_batch->tokens, 400'000);
    EXPECT_EQ(job.critical_batch->trunk_tokens, 200'000);
    EXPECT_EQ(job.batch_ramp->tokens, 400'000);
    EXPECT_EQ(job.batch_ramp->ramp[1].tokens, 100'000);
    EXPECT_THAT(job.learning_rate->tokens, ElementsAre(200'000));
    EXPECT_EQ(job.mup->tokens, 200'000);
    EXPECT_THAT(job.wsd->branches, ElementsAre(100'000, 200'000));
    EXPECT_EQ(job.wsd->trunk_tokens, 300'000);
    EXPECT_THAT(job.repetition->unique_tokens, ElementsAre(50'000));
    EXPECT_THAT(job.data_size->tokens, ElementsAre(50'000, 60'000, 70'000, 80'000, 90'000, 100'000));
    EXPECT_DOUBLE_EQ(job.validation->budgets.front(), 1e13);
    EXPECT_DOUBLE_EQ(job.isoflop.tokens_per_parameter_high, 40);
}

TEST(Scale, isNamedWhereANumberIsNotAsTheFileHasIt) {
    EXPECT_THAT(testing::faults_of(scaled(testing::smallest_job(), 1e-6)),
                ::testing::Contains(HasSubstr(
                    "jobs/x.toml:15: isoflop.budgets[1] (scaled by 1e-06): 1e+06 is less than one step")));
    EXPECT_THAT(testing::faults_of(testing::edited(testing::smallest_job(), "[isoflop]\nbudgets = [1e5]\n")),
                ElementsAre(Not(HasSubstr("scaled"))));
}

TEST(Scale, leavesNoTrialWithoutAStep) {
    EXPECT_THAT(testing::faults_of(scaled(testing::smallest_job(), 1e-6)),
                ElementsAre(HasSubstr("is less than one step"), HasSubstr("is less than one step"),
                            HasSubstr("is less than one step"), HasSubstr("is less than one step")));
    EXPECT_THAT(testing::parsed(scaled(testing::smallest_job(), 10)).value().grid.warnings,
                ::testing::Each(Not(HasSubstr("multiplied"))));
}

}  // namespace
}  // namespace isogrid::study
