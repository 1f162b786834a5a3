// Repeated data: the law recovered from runs that it made, and the runs that others published.
#include "analysis/laws/repetition.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/figures/numbers.hpp"
#include "analysis/laws/repetition_checks.hpp"
#include "published_data.hpp"
#include "recovery.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

const RepetitionLaw truth{known_law, 12, 6};

/// Sizes about and above the optimum for each amount of different tokens, each trained for 1 to 64 epochs.
Runs repeated_runs(const RepetitionLaw& law, double noise, std::uint64_t draw) {
    Random random(7, draw);
    Runs runs;
    for (const double unique : {1e8, 1e9, 1e10})
        for (const double size : {0.3, 1.0, 4.0, 15.0, 60.0})
            for (const double epochs : {1, 4, 16, 64}) {
                Run run;
                run.name = "run " + std::to_string(runs.used.size());
                run.parameters = size * law.optimal_size(unique);
                run.tokens = epochs * unique;
                run.unique_tokens = unique;
                run.flops = run.budget = 6 * run.parameters * run.tokens;
                run.loss = law.loss(run.parameters, run.tokens, unique) * std::exp(noise * random.normal());
                runs.used.push_back(std::move(run));
            }
    return runs;
}

FitOptions quick(std::size_t bootstrap) {
    FitOptions options;
    options.bootstrap = bootstrap;
    options.objective = {ObjectiveKind::huber, 1e-2};
    return options;
}

bool has(const std::vector<Reason>& warnings, Refusal kind) {
    return std::any_of(warnings.begin(), warnings.end(), [&](const Reason& r) { return r.kind == kind; });
}

TEST(RepetitionLaw, firstPassIsWorthItself) {
    EXPECT_DOUBLE_EQ(truth.effective_tokens(5e8, 1e9), 5e8);
    EXPECT_DOUBLE_EQ(truth.effective_tokens(1e9, 1e9), 1e9);
    // Equation 5, by hand: 1 + 12 (1 - exp(-3 / 12)).
    EXPECT_NEAR(truth.effective_tokens(4e9, 1e9) / 1e9, 1 + 12 * (1 - std::exp(-0.25)), 1e-12);
    EXPECT_NEAR(truth.effective_tokens(1e15, 1e9) / 1e9, 13, 1e-9);
}

TEST(RepetitionLaw, optimalSizeIsTheJointLawsForThoseTokens) {
    const double size = truth.optimal_size(3e9);
    const auto best = known_law.optimum(6 * size * 3e9, 6);
    EXPECT_NEAR(best.parameters / size, 1, 1e-9);
    EXPECT_NEAR(best.tokens / 3e9, 1, 1e-9);
}

TEST(Repetition, recoversTheLawThatMadeTheRuns) {
    FitOptions options = quick(0);
    options.base = known_law;
    const LawFit fit = fit_repetition(repeated_runs(truth, 0, 0), options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "R_D*"), 12, 1e-3);
    EXPECT_NEAR(value_of(fit.parameters, "R_N*"), 6, 1e-3);
}

TEST(Repetition, recoversTheLawOfFreshDataWithIt) {
    const LawFit fit = fit_repetition(repeated_runs(truth, 0, 0), quick(0));
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_NEAR(value_of(fit.parameters, "R_D*"), 12, 0.05);
    EXPECT_NEAR(value_of(fit.parameters, "R_N*"), 6, 0.05);
    EXPECT_NEAR(value_of(fit.parameters, "E"), 1.8, 2e-3);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.35, 2e-3);
    EXPECT_NEAR(value_of(fit.parameters, "beta"), 0.37, 2e-3);
}

TEST(Repetition, doesNotClaimProfileIntervalsThatItHasNot) {
    FitOptions options = quick(30);
    options.base = known_law;
    options.objective = {ObjectiveKind::l2, 0};
    options.intervals = Intervals::profile;
    const LawFit fit = fit_repetition(repeated_runs(truth, 0.003, 0), options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    const std::string notes = testing::PrintToString(fit.notes);
    EXPECT_THAT(notes, testing::HasSubstr("--intervals profile has no effect"));
    EXPECT_THAT(notes, testing::Not(testing::HasSubstr("sum of squares' profile")));
}

TEST(Repetition, drawsSeedsAgainWhereRunsWereRepeated) {
    Runs runs = repeated_runs(truth, 0.003, 0);
    for (const auto& run : repeated_runs(truth, 0.003, 1).used)
        runs.used.push_back(run), runs.used.back().seed = "2";
    FitOptions options = quick(30);
    options.base = known_law;
    options.resampling = Resampling::seeds;
    const LawFit fit = fit_repetition(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    for (const Reason& warning : fit.warnings)
        EXPECT_THAT(warning.text, testing::Not(testing::HasSubstr("by their seed alone")));
}

TEST(Repetition, saysThatDataThatNeverWearsOutHasNoUpperLimit) {
    FitOptions options = quick(60);
    options.base = known_law;
    const LawFit fit = fit_repetition(repeated_runs({known_law, 1e12, 6}, 2e-3, 0), options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_TRUE(has(fit.warnings, Refusal::unbounded));
    const Estimate decay = estimate_of(fit.parameters, "R_D*");
    EXPECT_EQ(decay.high, std::numeric_limits<double>::infinity());
    EXPECT_GT(decay.low, 100);
}

TEST(Repetition, refusesRunsThatRepeatNothing) {
    Runs runs = repeated_runs(truth, 0, 0);
    for (auto& run : runs.used)
        run.unique_tokens = run.tokens;
    const LawFit fit = fit_repetition(runs, quick(0));
    ASSERT_TRUE(fit.refused);
    EXPECT_EQ(fit.refused->kind, Refusal::too_few_runs);
    EXPECT_THAT(fit.refused->text, testing::HasSubstr("0 of them with repeated data"));
}

TEST(Repetition, intervalsCoverTheTruth) {
    const auto draws = recovery_draws(20);
    std::size_t data = 0, size = 0;
    for (const std::size_t draw : draws) {
        FitOptions options = recovery_options(quick(draws.size() < 100 ? 100 : 400), draw);
        options.base = known_law;
        const LawFit fit = fit_repetition(repeated_runs(truth, 5e-3, draw), options);
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        const Estimate rd = estimate_of(fit.parameters, "R_D*"), rn = estimate_of(fit.parameters, "R_N*");
        data += rd.low <= truth.data_decay && truth.data_decay <= rd.high;
        size += rn.low <= truth.parameter_decay && truth.parameter_decay <= rn.high;
    }
    expect_coverage(data, draws.size(), "R_D*");
    expect_coverage(size, draws.size(), "R_N*");
}

/// As most people fit it: without a law of fresh data known beforehand.
TEST(Repetition, intervalsCoverTheTruthWithTheLawOfFreshData) {
    const auto draws = recovery_draws(10);
    std::size_t decay = 0, worth = 0;
    for (const std::size_t draw : draws) {
        const LawFit fit = fit_repetition(repeated_runs(truth, 5e-3, draw),
                                          recovery_options(quick(draws.size() < 100 ? 60 : 200), draw));
        ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
        decay += covers(estimate_of(fit.parameters, "R_D*"), truth.data_decay);
        for (const Table& table : fit.tables)
            for (const auto& row : table.rows)
                if (table.key == "repetition" && std::get<double>(row[0]) == 16)
                    worth += std::get<double>(row[2]) <= truth.effective_tokens(16, 1) &&
                             truth.effective_tokens(16, 1) <= std::get<double>(row[3]);
    }
    expect_coverage(decay, draws.size(), "R_D*, law of fresh data fitted");
    expect_coverage(worth, draws.size(), "worth of 16 epochs");
}

std::string harm_in_words(const LawFit& fit) {
    std::string text;
    for (const Reason& warning : fit.warnings)
        if (warning.kind == Refusal::poor_prediction) text += warning.text;
    return text;
}

TEST(HarmOfRepetition, isALossAboveThatOfAShorterRun) {
    Runs runs = repeated_runs(truth, 0, 0);
    const auto harmed = [&] {
        std::string names;
        for (const HarmedRun& harm : harm_of_repetition(runs.used).runs)
            names += harm.run.name + " above " + harm.shorter + ", ";
        return names;
    };
    EXPECT_EQ(harmed(), "");
    // 15 pairs of size and different tokens, of four numbers of epochs each.
    EXPECT_EQ(harm_of_repetition(runs.used).compared, 45u);
    // In rising order of epochs: 4 is run 1, 16 run 2, 64 run 3.
    runs.used[3].loss = 1.005 * runs.used[2].loss;
    EXPECT_EQ(harmed(), "") << "half a percent may be the seed";
    runs.used[3].loss = 1.05 * runs.used[2].loss;
    EXPECT_EQ(harmed(), "run 3 above run 2, ");
    // The worst is past, and still harm: neither run is below the one of 4 epochs.
    runs.used[2].loss = 1.08 * runs.used[1].loss, runs.used[3].loss = 1.06 * runs.used[1].loss;
    EXPECT_EQ(harmed(), "run 2 above run 1, run 3 above run 1, ");
    EXPECT_EQ(harm_of_repetition(runs.used).unharmed.size(), 58u);
    // Of repeats the mean: this one is 1.005 of the shorter run.
    runs = repeated_runs(truth, 0, 0);
    runs.used[3].loss = 1.05 * runs.used[2].loss, runs.used[3].seed = "1";
    runs.used.push_back(runs.used[3]);
    runs.used.back().seed = "2", runs.used.back().loss = 0.96 * runs.used[2].loss;
    EXPECT_EQ(harmed(), "");
    runs.used.back().loss = 1.02 * runs.used[2].loss;
    EXPECT_EQ(harmed(), "run 3 above run 2, ");
    EXPECT_EQ(harm_of_repetition(runs.used).unharmed.size(), 59u) << "both of its seeds";
}

TEST(HarmOfRepetition, isToldWithWhatTheLawMisses) {
    Runs runs = repeated_runs(truth, 0, 0);
    const double expected = runs.used[3].loss, came_to = 1.05 * runs.used[2].loss;
    runs.used[3].loss = came_to;
    const auto percent = [](double share) { return format_quantity(share, Quantity::percent); };
    const Reason reason = describe_harm(harm_of_repetition(runs.used), truth, 12, 14.3);
    EXPECT_EQ(reason.kind, Refusal::poor_prediction);
    EXPECT_THAT(reason.text, testing::HasSubstr("1 of 45 runs are worse by more than 1%"));
    EXPECT_THAT(reason.text, testing::HasSubstr("most of all run 3 (5% above run 2)"));
    EXPECT_THAT(reason.text, testing::HasSubstr("expects " + percent(1 - expected / came_to) +
                                                " less than they came to, and misses the others by 0%; "));
    EXPECT_THAT(reason.text, testing::HasSubstr("without them R_D* would be 14.3 instead of 12)"));
    EXPECT_THAT(describe_harm(harm_of_repetition(runs.used), truth, 12, std::nan("")).text,
                testing::HasSubstr("misses the others by 0%) leave out"));
}

TEST(Repetition, saysWhatItWouldBeWithoutRunsThatOverfit) {
    FitOptions options = quick(0);
    options.base = known_law;
    Runs runs = repeated_runs(truth, 0, 0);
    EXPECT_EQ(harm_in_words(fit_repetition(runs, options)), "");
    // The last quadrupling of the epochs harms every model.
    for (std::size_t i = 3; i < runs.used.size(); i += 4)
        runs.used[i].loss = 1.08 * runs.used[i - 1].loss;
    const LawFit fit = fit_repetition(runs, options);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_LT(value_of(fit.parameters, "R_D*"), 10) << "what it is bent to";
    EXPECT_THAT(harm_in_words(fit), testing::HasSubstr("15 of 45 runs are worse by more than 1%"));
    EXPECT_THAT(harm_in_words(fit), testing::HasSubstr("without them R_D* would be 12 instead of "));
}

TEST(Repetition, warnsWhereMoreEpochsArePredictedBadly) {
    Cut near{.mean_error = 0.02, .worst = 0.03}, far{.mean_error = 0.1, .worst = 0.6};
    EXPECT_FALSE(misses_more_epochs({}));
    EXPECT_FALSE(misses_more_epochs({near, near}));
    const auto missed = misses_more_epochs({near, far});  // 6% on average
    ASSERT_TRUE(missed);
    EXPECT_EQ(missed->kind, Refusal::poor_prediction);
    EXPECT_THAT(missed->text, testing::HasSubstr("an error of 6% on average over the cuts, 60% at worst"));
}

TEST(GivenLaw, isReadFromText) {
    const auto law = parse_given_law("E=1.87,A=521,B=1.488e3,alpha=.353,beta=.36");
    ASSERT_TRUE(law);
    EXPECT_DOUBLE_EQ(law->B, 1488);
    EXPECT_DOUBLE_EQ(law->beta, 0.36);
    for (const char* bad : {"", "E=1", "E=1.87,A=521,B=-1,alpha=.3,beta=.3", "E=1,A=2,B=3,alpha=.3,beta=x",
                            "E=1,A=2,B=3,alpha=.3,gamma=.3"})
        EXPECT_FALSE(parse_given_law(bad)) << bad;
}

/// Muennighoff et al. 2023 (arXiv 2305.16264), appendix A: the decays fitted on the C4 law of fresh data.
const std::filesystem::path datablations = published_data() / "datablations" / "runs_182.csv";

LawFit fit_datablations(bool with_base, std::size_t replicates) {
    const CsvRequest request{
        datablations,
        parse_columns("parameters=params,tokens=tokens,unique_tokens=unique_tokens,loss=loss").value(),
        {},
        0};
    FitOptions options;
    options.bootstrap = replicates;
    if (with_base)
        options.base =
            JointLaw{std::exp(0.6254804), std::exp(6.255414), std::exp(7.3049974), 0.3526596, 0.3526596};
    return fit_repetition(read_csv(request).value(), options);
}

TEST(Published, optimumOfRepeatedDataIsLocalAndABetterOneIsFound) {
    ISOGRID_NEEDS_PUBLISHED(datablations);
    const LawFit fit = fit_datablations(true, 100);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_LE(fit.objective_value, 0.0158046625);
    EXPECT_NEAR(value_of(fit.parameters, "R_D*"), 95.365, 0.05);
    EXPECT_NEAR(value_of(fit.parameters, "R_N*"), 1.7059, 1e-3);
    const Table& optima = fit.tables.front();
    ASSERT_EQ(optima.key, "optima");
    bool named = false;
    for (const auto& row : optima.rows) {
        const double decay = std::get<double>(row[0]), objective = std::get<double>(row[2]);
        if (std::abs(decay - 15.387756) > 0.05) continue;
        named = true;
        EXPECT_NEAR(std::get<double>(row[1]), 5.309743, 0.02);
        EXPECT_LE(objective, 0.015825936);  // published
        EXPECT_EQ(std::get<std::string>(row[5]), "local");
    }
    EXPECT_TRUE(named);
    EXPECT_TRUE(has(fit.warnings, Refusal::unbounded));
    EXPECT_TRUE(has(fit.warnings, Refusal::several_optima));
    EXPECT_EQ(estimate_of(fit.parameters, "R_D*").high, std::numeric_limits<double>::infinity());
}

TEST(Published, repeatedDataIsFarBetterFittedTogetherWithFreshData) {
    ISOGRID_NEEDS_PUBLISHED(datablations);
    const LawFit fit = fit_datablations(false, 0);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_LT(fit.objective_value, 0.0066);
    EXPECT_GT(value_of(fit.derived, "R2"), 0.93);
}

}  // namespace
}  // namespace isogrid::analysis
