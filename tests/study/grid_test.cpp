// Grids: which shapes a budget trains, and for how long.
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "study/job_text.hpp"
#include "study/spread.hpp"
#include "study/study.hpp"

namespace isogrid::study {
namespace {

using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::Le;
using ::testing::SizeIs;

std::vector<PlannedTrial> trials_with(const std::string& changes) {
    const base::Result<Study> study = testing::parsed(testing::edited(testing::smallest_job(), changes));
    EXPECT_TRUE(study) << base::to_string(study.error());
    return study ? study->grid.trials : std::vector<PlannedTrial>{};
}

TEST(Grid, meetsEveryBudgetWithinOnePercentUnderEveryConvention) {
    for (const FlopConvention convention : flop_conventions) {
        const std::vector<PlannedTrial> trials =
            trials_with("[isoflop]\nflops = \"" + std::string(name(convention)) + "\"\n");
        EXPECT_THAT(trials, SizeIs(Gt(15)));
        for (const PlannedTrial& planned : trials)
            EXPECT_THAT(std::abs(planned.flops(convention) / planned.budget - 1), Le(0.01)) << planned.name;
    }
}

// Rounding costs half a step at most, and 50 steps are the fewest allowed: 1%.
TEST(Grid, meetsBudgetsOfTheFewestSteps) {
    const std::string ladder = "[model]\nwidths = [32]\n[isoflop]\nflops = \"six_n\"\nsizes = 1\n";
    const double step = 6.0 * 29024 * 2048;  // width 32: 29,024 parameters; 16 sequences of 128
    for (const double steps : {50.001, 50.49, 50.51, 51.5}) {
        const std::string budgets = "budgets = [" + std::to_string(steps * step) + "]\n";
        const std::vector<PlannedTrial> trials = trials_with(ladder + budgets);
        ASSERT_THAT(trials, SizeIs(1));
        EXPECT_EQ(trials[0].trial.steps, std::llround(steps));
        EXPECT_LE(std::abs(trials[0].flops(FlopConvention::six_n) / (steps * step) - 1), 0.01);
    }
    const std::string too_low = "budgets = [" + std::to_string(49.99 * step) + "]\n";
    EXPECT_THAT(testing::faults_of(testing::edited(testing::smallest_job(), ladder + too_low)),
                ElementsAre(::testing::HasSubstr("is less than 50 steps of w32-d1-h2")));
}

TEST(Grid, keepsTokensPerParameterInRange) {
    for (const PlannedTrial& planned : trials_with("[isoflop]\ntokens_per_parameter = [3, 90]\n")) {
        const double ratio =
            static_cast<double>(planned.trial.tokens()) / static_cast<double>(planned.parameters.total());
        EXPECT_GE(ratio, 3) << planned.name;
        EXPECT_LE(ratio, 90) << planned.name;
    }
}

TEST(Grid, takesAsManySizesAsAsked) {
    std::map<double, int> sizes;
    for (const PlannedTrial& planned : trials_with("[isoflop]\nsizes = 3\n"))
        ++sizes[planned.budget];
    EXPECT_THAT(sizes,
                ElementsAre(std::pair(1e12, 3), std::pair(3e12, 3), std::pair(1e13, 3), std::pair(4e13, 3)));
}

TEST(Grid, comesInCanonicalOrderWhateverTheOrderOfWidths) {
    const std::vector<PlannedTrial> trials = trials_with("");
    for (std::size_t i = 1; i < trials.size(); ++i) {
        const PlannedTrial &before = trials[i - 1], &after = trials[i];
        EXPECT_TRUE(before.budget < after.budget ||
                    (before.budget == after.budget && before.parameters.total() < after.parameters.total()))
            << before.name << " stands before " << after.name;
    }
    EXPECT_EQ(trials,
              trials_with("[model]\nwidths = [256, 32, 224, 48, 192, 64, 160, 80, 144, 96, 128, 112]\n"));
}

TEST(Grid, namesTrialsByBudgetWidthAndDepth) {
    const std::vector<PlannedTrial> trials = trials_with("");
    EXPECT_EQ(trials.front().name, "b1-w32-d1");
    EXPECT_EQ(trials.back().name, "b4-w160-d5");
    std::set<std::string> names, identities;
    for (const PlannedTrial& planned : trials) {
        names.insert(planned.name);
        identities.insert(identity(planned.trial));
    }
    EXPECT_EQ(names.size(), trials.size());
    EXPECT_EQ(identities.size(), trials.size());
}

TEST(Grid, passesTheRecipeOn) {
    const PlannedTrial planned = trials_with(
        "[study]\nseed = 7\n[recipe]\nparametrization = \"standard\"\nlearning_rate = 0.003\nbatch = 8\n"
        "leaves = 2\nschedule = \"linear\"\nwarmup_fraction = 0.25\nfinal_fraction = 0\n"
        "[evaluation]\ntokens = 1000\npoints = 3\nsample = \"spread\"\n")[0];
    const Trial& trial = planned.trial;
    EXPECT_EQ(trial.seed, 7);
    EXPECT_EQ(trial.parametrization.kind, ParametrizationKind::standard);
    EXPECT_EQ(trial.optimizer.learning_rate, 0.003);
    EXPECT_EQ(trial.batch, 8);
    EXPECT_EQ(trial.leaves, 2);
    EXPECT_EQ(trial.schedule.kind, ScheduleKind::linear);
    EXPECT_EQ(trial.schedule.warmup_steps, std::llround(0.25 * static_cast<double>(trial.steps)));
    EXPECT_EQ(trial.schedule.decay_steps, 0);
    EXPECT_EQ(trial.schedule.final_fraction, 0);
    EXPECT_EQ(trial.evaluation.tokens, 7 * 128);  // whole sequences of 1,000 tokens
    EXPECT_EQ(trial.evaluation.steps, evaluation_steps(trial.steps, 3));
    EXPECT_EQ(trial.evaluation.sample, EvaluationSample::spread);
    EXPECT_EQ(trial.token_digest, std::string(64, 'a'));
    EXPECT_EQ(planned.parameters, count_parameters(trial.shape));
    EXPECT_EQ(planned.flops_per_token, count_flops(trial.shape, testing::closed_form_flops(trial.shape)));
}

TEST(Grid, turnsFractionsIntoStepsOneAtLeast) {
    for (const PlannedTrial& planned : trials_with("[recipe]\nschedule = \"warmup_stable_decay\"\n"
                                                   "warmup_fraction = 1e-6\ndecay_fraction = 1e-6\n")) {
        EXPECT_EQ(planned.trial.schedule.warmup_steps, 1) << planned.name;
        EXPECT_EQ(planned.trial.schedule.decay_steps, 1) << planned.name;
    }
    for (const PlannedTrial& planned : trials_with("[recipe]\nwarmup_fraction = 0\ndecay_fraction = 0\n")) {
        EXPECT_EQ(planned.trial.schedule.warmup_steps, 0) << planned.name;
        EXPECT_EQ(planned.trial.schedule.decay_steps, 0) << planned.name;
    }
    for (const PlannedTrial& planned : trials_with("[recipe]\nschedule = \"warmup_stable_decay\"\n"
                                                   "warmup_fraction = 0.5\ndecay_fraction = 0.5\n")) {
        const Schedule& schedule = planned.trial.schedule;
        EXPECT_EQ(schedule.warmup_steps + schedule.decay_steps, planned.trial.steps) << planned.name;
    }
}

TEST(GridWarnings, takeRepeatsForNoFurtherSizes) {
    const base::Result<Study> study = testing::parsed(
        testing::edited(testing::smallest_job(), "[isoflop]\nflops = \"six_n\"\nsizes = 4\nseeds = 2\n"));
    ASSERT_TRUE(study) << base::to_string(study.error());
    EXPECT_THAT(study->grid.warnings,
                ::testing::Contains(::testing::HasSubstr("4 budgets have too few sizes: 4 at 1e+12, 4 at")));
}

TEST(GridWarnings, nameTheLimitThatKeepsABudgetFromMoreSizes) {
    const auto what_to_do = [](const std::string& changes) {
        const Study study = testing::parsed(testing::edited(testing::smallest_job(),
                                                            "[isoflop]\nflops = \"six_n\"\n" + changes))
                                .value();
        for (const std::string& warning : study.grid.warnings)
            if (warning.find("too few sizes") != std::string::npos)
                return warning.substr(warning.find(") ") + 2);
        return std::string("nothing");
    };
    EXPECT_EQ(what_to_do(""), "nothing");
    EXPECT_EQ(what_to_do("sizes = 3\n"), "raise isoflop.sizes to 5 or more");
    EXPECT_EQ(what_to_do("tokens_per_parameter = [10, 60]\n"),
              "widen isoflop.tokens_per_parameter, or add widths between those that it lets pass");
    EXPECT_EQ(
        what_to_do("tokens_per_parameter = [0.1, 10000]\nsizes = 20\n[model]\nwidths = [64, 96, 128]\n"),
        "add widths to model.widths");
}

TEST(GridWarnings, forgiveAWarmUpOfHalfATrialItsRounding) {
    const auto warnings_at = [](const std::string& fraction) {
        return testing::parsed(
                   testing::edited(testing::smallest_job(), "[recipe]\nwarmup_fraction = " + fraction + "\n"))
            .value()
            .grid.warnings;
    };
    EXPECT_THAT(warnings_at("0.5"), ::testing::Not(::testing::Contains(::testing::HasSubstr("warm-up"))));
    EXPECT_THAT(
        warnings_at("0.6"),
        ::testing::Contains(::testing::HasSubstr("the warm-up takes more than half of 23 of 23 trials")));
}

TEST(Quickstart, expandsToAGridThatCanAnswer) {
    const auto read_gcide = [](const std::filesystem::path& path) -> base::Result<CorpusFacts> {
        EXPECT_EQ(path.lexically_relative(ISOGRID_SOURCE_DIR), "data/gcide.tok");
        return testing::read_tokens("jobs/english.tok");  // about as long
    };
    const base::Result<Study> study =
        read_study(ISOGRID_SOURCE_DIR "/jobs/quickstart.toml", read_gcide, testing::closed_form_flops);
    ASSERT_TRUE(study) << base::to_string(study.error());
    EXPECT_THAT(study->grid.warnings, ElementsAre());
    EXPECT_THAT(study->job.isoflop.budgets, SizeIs(::testing::Ge(4)));
}

}  // namespace
}  // namespace isogrid::study
