// The studies of a job file expand to the trials that their laws need.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/wording.hpp"
#include "study/job_text.hpp"

namespace isogrid::study {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// Trials of the smallest job, its budgets put out of use, with this study instead.
std::vector<PlannedTrial> trials_of(const std::string& study) {
    std::string job = testing::smallest_job();
    job.resize(job.find("[isoflop]"));
    const base::Result<Study> parsed = testing::parsed(testing::edited(job, study));
    EXPECT_TRUE(parsed) << base::to_string(parsed.error());
    return parsed ? parsed->grid.trials : std::vector<PlannedTrial>{};
}

std::vector<std::string> faults_with(const std::string& study) {
    return testing::faults_of(testing::edited(testing::smallest_job(), study));
}

TEST(CriticalBatch, keepsTheLearningRateConstantAndEndsAtTheLastTarget) {
    const auto trials = trials_of(
        "[critical_batch]\nbatches = [4, 16, 64]\ntargets = [2.5, 2.25]\n"
        "tokens = 1_000_000\nseeds = 2\n");
    ASSERT_THAT(trials, SizeIs(6));
    std::set<std::string> names;
    for (const PlannedTrial& planned : trials) {
        const Trial& trial = planned.trial;
        names.insert(planned.name);
        EXPECT_THAT(planned.studies, ElementsAre("critical_batch"));
        EXPECT_EQ(trial.schedule.kind, ScheduleKind::constant);
        EXPECT_EQ(trial.stop_loss, 2.25);
        EXPECT_EQ(trial.batch % trial.leaves, 0);
        EXPECT_EQ(trial.steps, std::llround(1e6 / static_cast<double>(trial.batch * 128)));
        // Square-root rule from recipe.batch, 16.
        EXPECT_DOUBLE_EQ(trial.optimizer.learning_rate,
                         0.01 * std::sqrt(static_cast<double>(trial.batch) / 16));
    }
    EXPECT_THAT(names, SizeIs(6));
}

TEST(CriticalBatch, refusesWhatNoLawCanBeFittedTo) {
    EXPECT_THAT(
        faults_with("[critical_batch]\nbatches = [8]\ntargets = [2.5]\ntokens = 1_000_000\n"),
        ElementsAre(HasSubstr("critical_batch.batches: has 1 value (a hyperbola through fewer batches "
                              "cannot be tested) list 3 or more")));
    EXPECT_THAT(
        faults_with("[critical_batch]\nbatches = [2, 4, 8]\ntargets = [5.6]\ntokens = 1_000_000\n"),
        ElementsAre(HasSubstr("5.6 is reached before training (guessing among 256 tokens has a loss of "
                              "5.55) lower it")));
    EXPECT_THAT(
        faults_with("[critical_batch]\nbatches = [2, 4, 8]\ntargets = [2, 2.5]\ntokens = 1_000_000\n"),
        ElementsAre(HasSubstr("targets[2]: 2.5 does not fall")));
    EXPECT_THAT(faults_with("[critical_batch]\nbatches = [2, 4, 512]\ntargets = [2]\ntokens = 1_000_000\n"),
                ElementsAre(HasSubstr("tokens: 1e+06 is less than 20 steps (a step of batch 512 has 65536")));
}

TEST(LearningRates, areTheProductOfAllAxes) {
    const auto trials = trials_of(
        "[learning_rate]\nwidths = [32, 64]\nlearning_rates = [0.001, 0.002, 0.004, "
        "0.008]\nbatches = [8, 16]\nweight_decays = [0, 0.1]\ntokens = [100_000, "
        "200_000]\nseeds = 3\n");
    EXPECT_THAT(trials, SizeIs(2 * 4 * 2 * 2 * 2 * 3));
    std::set<std::string> names, identities;
    for (const PlannedTrial& planned : trials) {
        names.insert(planned.name);
        identities.insert(identity(planned.trial));
    }
    EXPECT_THAT(names, SizeIs(trials.size()));
    EXPECT_THAT(identities, SizeIs(trials.size()));
}

TEST(MupLadder, sweepsEachWidthUnderBothParametrizations) {
    const auto trials = trials_of(
        "[mup]\nwidths = [32, 64, 128]\nlearning_rates = [0.001, 0.002, 0.004, 0.008]\n"
        "tokens = 100_000\n");
    ASSERT_THAT(trials, SizeIs(2 * 3 * 4));
    for (const PlannedTrial& planned : trials)
        EXPECT_EQ(planned.trial.steps, trials.front().trial.steps) << "one length for all widths";
    EXPECT_EQ(trials.front().trial.parametrization.kind, ParametrizationKind::standard);
    EXPECT_EQ(trials.back().trial.parametrization.kind, ParametrizationKind::mup);
    EXPECT_EQ(trials.back().name, "mup-w128-d4-r0.008");
}

TEST(MupLadder, refusesOneWidthAndTooFewRates) {
    EXPECT_THAT(
        faults_with("[mup]\nwidths = [32]\nlearning_rates = [0.1, 0.2, 0.3, 0.4]\ntokens = 100_000\n"),
        ElementsAre(HasSubstr("mup.widths: has 1 value (a slope needs them)")));
    EXPECT_THAT(faults_with("[mup]\nlearning_rates = [0.1, 0.2]\ntokens = 100_000\n"),
                ElementsAre(HasSubstr("mup.learning_rates: has 2 values")));
    EXPECT_THAT(faults_with("[mup]\nwidths = [40, 64]\nlearning_rates = [0.1, 0.2, 0.3, 0.4]\n"
                            "tokens = 100_000\n"),
                ElementsAre(HasSubstr("40 cannot be cut into heads")));
}

// The state of a branch when its decay begins is the trunk's: everything up to there must be the same.
TEST(Decays, agreeWithTheirTrunkUpToWhereTheyLeaveIt) {
    const auto trials = trials_of(
        "[wsd]\nwidths = [32]\nbranches = [100_000, 200_000, 400_000]\n"
        "decays = [\"linear\", \"cosine\", \"square_root\"]\n"
        "final_fractions = [0, 0.1]\n");
    ASSERT_THAT(trials, SizeIs(1 + 3 * 3 * 2));
    const Trial& trunk = trials.front().trial;
    EXPECT_EQ(trials.front().name, "trunk-w32-d1");
    EXPECT_EQ(trunk.schedule.kind, ScheduleKind::constant);
    for (std::size_t i = 1; i < trials.size(); ++i) {
        const Trial& branch = trials[i].trial;
        const std::int64_t start = branch.steps - branch.schedule.decay_steps;
        EXPECT_LE(start, trunk.steps) << trials[i].name;
        EXPECT_EQ(branch.schedule.warmup_steps, trunk.schedule.warmup_steps);
        EXPECT_NEAR(static_cast<double>(branch.schedule.decay_steps), 0.2 * static_cast<double>(branch.steps),
                    1);
        const auto before = [&](const Trial& trial) {
            std::vector<std::int64_t> steps = trial.evaluation.steps;
            std::erase_if(steps, [&](std::int64_t step) { return step > start; });
            return steps;
        };
        EXPECT_EQ(before(branch), before(trunk)) << trials[i].name;
        Trial same = branch;
        same.schedule = trunk.schedule;
        same.evaluation = trunk.evaluation;
        same.steps = trunk.steps;
        EXPECT_EQ(same, trunk) << "all else is equal";
    }
}

// A trial of no decay would have the last learning rate all through, and its trunk another one.
TEST(Decays, takeAStepHoweverShort) {
    for (const std::string fraction : {"1e-6", "0.001", "0.3"})
        for (const PlannedTrial& planned : trials_of("[recipe]\ndecay_fraction = " + fraction +
                                                     "\nlearning_rate = 0.01\n[wsd]\nwidths = [32]\n"
                                                     "branches = [102_400, 204_800]\n"))
            if (planned.name.starts_with("decay")) {
                EXPECT_GE(planned.trial.schedule.decay_steps, 1) << planned.name << " of " << fraction;
            }
}

TEST(Decays, refuseToBeNoneOrAlmostAll) {
    const std::string study = "[wsd]\nbranches = [1_000_000]\n[recipe]\n";
    EXPECT_THAT(faults_with(study + "decay_fraction = 0\n"),
                ElementsAre(HasSubstr("recipe.decay_fraction: is 0 (the branches of [wsd] decay)")));
    EXPECT_THAT(faults_with(study + "decay_fraction = 0.95\n"),
                ElementsAre(HasSubstr("recipe.decay_fraction: is 0.95 (a branch of [wsd] may spend 0.9")));
    EXPECT_THAT(faults_with("[schedules]\nvariants = [\"stable_decay\"]\n[recipe]\ndecay_fraction = 0\n"),
                ElementsAre(HasSubstr("is 0 (the variant stable_decay ends with a decay)")));
}

TEST(Decays, refuseToBeginInTheWarmUp) {
    EXPECT_THAT(faults_with("[recipe]\nwarmup_tokens = 1_000_000\n[wsd]\nbranches = [2_000_000]\n"
                            "added_branches = [500_000]\n"),
                ElementsAre(HasSubstr("wsd.added_branches[1]: 500000 lies in the warm-up (which takes "
                                      "1000000 tokens) raise it, or shorten the warm-up")));
    EXPECT_THAT(faults_with("[recipe]\nwarmup_tokens = 1_000_000\n[wsd]\nbranches = [1_000_000]\n"),
                ElementsAre());
}

TEST(Decays, refuseBranchesBeyondTheTrunk) {
    EXPECT_THAT(faults_with("[wsd]\nbranches = [100_000, 400_000]\ntrunk_tokens = 300_000\n"),
                ElementsAre(HasSubstr("wsd.branches[2]: 400000 lies beyond the trunk (wsd.trunk_tokens is "
                                      "300000) raise it, or drop the branch")));
}

TEST(Repetition, readsTheSameTokensAgain) {
    const auto trials =
        trials_of("[repetition]\nwidths = [32]\nunique_tokens = [204_800]\nepochs = [1, 4]\n");
    ASSERT_THAT(trials, SizeIs(2));
    EXPECT_EQ(trials[0].trial.unique_tokens, 204800);
    EXPECT_EQ(trials[1].trial.tokens(), 4 * trials[0].trial.tokens());
    EXPECT_THAT(
        faults_with("[repetition]\nunique_tokens = [80_000_000]\nepochs = [1]\n"),
        ElementsAre(HasSubstr("80000000 is more than there is (the training part has 60000000 tokens)")));
    EXPECT_THAT(faults_with("[repetition]\nunique_tokens = [500_000]\nepochs = [0.5, 1]\n"),
                ElementsAre(HasSubstr("repetition.epochs: has none above 1 (nothing would be read again)")));
}

TEST(Repetition, refusesWhatTrainsHardlyAStep) {
    EXPECT_THAT(faults_with("[repetition]\nunique_tokens = [500_000, 1_000_000]\nepochs = [4, 0.01]\n"),
                ElementsAre(HasSubstr("repetition.epochs[2]: 5000 is less than 20 steps")));
    // A sequence has its last target behind it.
    const auto faults = testing::faults_of(
        testing::edited(testing::smallest_job(),
                        "[study]\nscale = 0.001\n[recipe]\nbatch = 1\nleaves = 1\n[repetition]\n"
                        "unique_tokens = [128_000]\nepochs = [1, 2]\n"));
    EXPECT_THAT(faults, ::testing::Contains(
                            HasSubstr("repetition.unique_tokens[1] (scaled by 0.001): 128 hold no sequence "
                                      "(model.context is 128")));
}

TEST(DataSize, needsSixAmounts) {
    EXPECT_THAT(
        faults_with("[data_size]\ntokens = [100_000, 200_000]\n"),
        ElementsAre(HasSubstr("data_size.tokens: has 2 values (a law of data is fitted to 6 amounts")));
}

TEST(Validation, liesAboveWhatItIsPredictedFrom) {
    EXPECT_THAT(faults_with("[validation]\nbudgets = [4e13]\n"),
                ElementsAre(HasSubstr("validation.budgets[1]: 4e+13 is no prediction (the largest of "
                                      "isoflop.budgets is 4e+13) raise it above")));
}

TEST(Schedules, changeTheRecipeOfTheSameGrid) {
    const base::Result<Study> study =
        testing::parsed(testing::edited(testing::smallest_job(),
                                        "[schedules]\nvariants = [\"tuned\", \"truncated_cosine\", "
                                        "\"fixed_warmup\", \"large_batch\"]\nlarge_batch = 64\n"));
    ASSERT_TRUE(study) << base::to_string(study.error());
    std::map<std::string, std::vector<const PlannedTrial*>> by_variant;
    for (const PlannedTrial& planned : study->grid.trials)
        by_variant[planned.variant].push_back(&planned);
    ASSERT_THAT(by_variant, SizeIs(4));  // those of [isoflop] are those of `tuned`
    EXPECT_THAT(by_variant["tuned"].front()->studies, ElementsAre("isoflop", "schedules"));
    for (const PlannedTrial* planned : by_variant["truncated_cosine"]) {
        const bool longest = planned->budget == 4e13;
        EXPECT_EQ(planned->trial.schedule.horizon_steps > planned->trial.steps, !longest) << planned->name;
    }
    std::int64_t warmup = 0;
    for (const PlannedTrial* planned : by_variant["fixed_warmup"])
        warmup = std::max(warmup, planned->trial.schedule.warmup_steps);
    for (const PlannedTrial* planned : by_variant["fixed_warmup"])
        EXPECT_EQ(planned->trial.schedule.warmup_steps, std::min(warmup, planned->trial.steps));
    EXPECT_EQ(by_variant["large_batch"].front()->trial.batch, 64);
}

// All of its trials would be those of `tuned`, and nothing left to compare.
TEST(Schedules, refuseAVariantThatIsTheRecipe) {
    EXPECT_THAT(faults_with("[recipe]\nschedule = \"warmup_stable_decay\"\n[schedules]\n"
                            "variants = [\"tuned\", \"stable_decay\"]\n"),
                ElementsAre(HasSubstr("schedules.variants[2]: \"stable_decay\" is the recipe itself")));
}

TEST(Studies, shareTrialsThatAreTheSame) {
    const std::string two =
        "[learning_rate]\nwidths = [32, 64]\nlearning_rates = [0.001, 0.002, 0.004, 0.008]\n"
        "tokens = [100_000]\n[mup]\nwidths = [32, 64]\nlearning_rates = [0.001, 0.002, "
        "0.004, 0.008]\ntokens = 100_000\n";
    const auto trials = trials_of(two);
    EXPECT_THAT(trials, SizeIs(8 + 16 - 8));
    EXPECT_THAT(trials.front().studies, ElementsAre("learning_rate", "mup"));
}

TEST(Jobs, allExpand) {
    std::size_t jobs = 0;
    for (const auto& entry : std::filesystem::directory_iterator(ISOGRID_SOURCE_DIR "/jobs")) {
        if (entry.path().extension() != ".toml") continue;
        const auto read = [](const std::filesystem::path&) {
            return testing::read_tokens("jobs/english.tok");  // about as long as the corpus that they name
        };
        const base::Result<Study> study = read_study(entry.path(), read, testing::closed_form_flops);
        ASSERT_TRUE(study) << base::to_string(study.error());
        EXPECT_EQ(study->job.name, entry.path().stem().string());
        EXPECT_GT(study->grid.trials.size(), 10u) << entry.path();
        std::set<std::string> names;
        for (const PlannedTrial& planned : study->grid.trials)
            names.insert(planned.name);
        EXPECT_THAT(names, SizeIs(study->grid.trials.size())) << entry.path();
        ++jobs;
    }
    EXPECT_GE(jobs, 8);
}

TEST(Studies, areAskedForByTheirTables) {
    std::string job = testing::smallest_job();
    job.resize(job.find("[isoflop]"));
    EXPECT_THAT(testing::faults_of(job), ElementsAre(HasSubstr("isoflop.budgets: is missing")));
}

}  // namespace
}  // namespace isogrid::study
