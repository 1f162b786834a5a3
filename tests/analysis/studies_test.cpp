// Each law takes the runs of its own study, and what was held out for validation is predicted without it.
#include "analysis/answer/studies.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/report/sentences.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Law& law(std::string_view name) {
    for (const Law& each : laws())
        if (each.name == name) return each;
    throw std::logic_error("no such law");
}

/// Four budgets of isoFLOP runs, and a run of another study.
Runs runs_of_two_studies() {
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    for (Run& run : runs.used)
        run.studies = {"isoflop"};
    Run other = runs.used.front();
    other.studies = {"mup"};
    runs.used.push_back(other);
    return runs;
}

TEST(Studies, giveEachLawItsOwnRuns) {
    const Runs runs = runs_of_two_studies();
    EXPECT_THAT(runs_for(law("joint"), runs).used, SizeIs(28));
    EXPECT_THAT(runs_for(law("mup"), runs).used, SizeIs(1));
    EXPECT_THAT(runs_for(law("repetition"), runs).used, SizeIs(0));
    // Without a study of its own the law of data takes the budgets' runs.
    EXPECT_THAT(runs_for(law("data"), runs).used, SizeIs(28));
}

TEST(Studies, leaveRunsOfNoStudyToEveryLaw) {
    const Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);  // as from a CSV
    for (const Law& each : laws())
        EXPECT_THAT(runs_for(each, runs).used, SizeIs(28)) << each.name;
}

TEST(Studies, ofWhichThereIsNoRunAreWhyALawIsNotAsked) {
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    for (auto& run : runs.used)
        run.studies = {"batch_ramp"};
    EXPECT_THAT(missing_studies(law("isoflop"), runs), ElementsAre("isoflop"));
    EXPECT_THAT(missing_studies(law("mixture"), runs), IsEmpty());  // shares would be of no use to it either
    FitOptions options;
    options.bootstrap = 0;
    const Answer all = answer(runs, {"isoflop", "mixture"}, options, {}, {}, {});
    ASSERT_THAT(all.not_asked, SizeIs(2));
    for (const NotAsked& unasked : all.not_asked)
        EXPECT_EQ(describe(unasked),
                  unasked.law == "isoflop" ? "no run is of the study isoflop" : "needs share");
    for (auto& run : runs.used)
        run.studies = {"isoflop"};
    EXPECT_THAT(missing_studies(law("isoflop"), runs), IsEmpty());
}

/// Every second run has seen its data four times, which the law of fresh data does not know.
Runs runs_that_repeat_data() {
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    for (std::size_t i = 0; i < runs.used.size(); ++i) {
        Run& run = runs.used[i];
        run.unique_tokens = i % 2 == 0 ? run.tokens : run.tokens / 4;
        if (i % 2 != 0) run.loss *= 1.03;
    }
    return runs;
}

TEST(RepeatedData, isLeftOutOfLawsThatTakeEveryTokenForANewOne) {
    const Runs runs = runs_that_repeat_data();
    EXPECT_THAT(runs_for(law("repetition"), runs).used, SizeIs(28));
    FitOptions options;
    options.bootstrap = 0;
    const Answer all = answer(runs, {"joint", "isoflop"}, options, {}, {}, {});
    for (const LawFit& fit : all.fits)
        EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("14 of 28 runs repeat their data"))) << fit.name;
    EXPECT_NEAR(value_of(all.fits.back().parameters, "alpha"), known_law.alpha, 1e-3);
    EXPECT_NEAR(all.decisions.at(0).loss.value / known_law.optimum(6.4e21, 6).loss, 1, 1e-3);
}

TEST(RepeatedData, aloneIsNothingToFitThemTo) {
    Runs runs = runs_that_repeat_data();
    std::erase_if(runs.used, [](const auto& run) { return run.tokens == run.unique_tokens; });
    FitOptions options;
    options.bootstrap = 0;
    const Answer all = answer(runs, {"joint"}, options, {}, {}, {});
    ASSERT_THAT(all.fits, SizeIs(1));
    ASSERT_TRUE(all.fits.front().refused);
    EXPECT_THAT(all.fits.front().refused->text, HasSubstr("every run repeats its data"));
    EXPECT_THAT(all.decisions, IsEmpty());
}

/// Two recipes at the same sizes and data, as many runs of one as of the other; the older one has a law of
/// its own, whose best sizes are larger.
Runs runs_of_two_families() {
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    for (std::size_t i = 0, count = runs.used.size(); i < count; ++i) {
        Run older = runs.used[i];
        runs.used[i].family = "new";
        older.family = "old";
        older.loss = known_loss(older.parameters / 4, older.tokens);
        runs.used.push_back(older);
    }
    return runs;
}

TEST(Families, areNotFittedAsOne) {
    FitOptions options;
    options.bootstrap = 0;
    const Answer all =
        answer(runs_of_two_families(), {"joint", "isoflop", "envelope", "data"}, options, {}, {}, {});
    ASSERT_THAT(all.fits, SizeIs(4));
    for (const LawFit& fit : all.fits) {
        EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("fitted to the 28 of new"))) << fit.name;
        EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("28 of old are left out"))) << fit.name;
        EXPECT_THAT(fit.notes, testing::Contains(HasSubstr("--where COLUMN=FAMILY"))) << fit.name;
    }
    // Of as many runs the family that came to the lowest loss, which is the one with the known law.
    EXPECT_NEAR(all.decisions.at(0).parameters.value / known_law.optimum(6.4e21, 6).parameters, 1, 1e-3);
}

TEST(Families, withMostRunsAreFitted) {
    Runs runs = runs_of_two_families();
    std::erase_if(runs.used, [](const auto& run) { return run.family == "new" && run.parameters < 5e7; });
    for (const auto& run : runs_for(law("joint"), runs).used)
        EXPECT_EQ(run.family, "old");
    // Laws that hold families against each other, or keep them apart themselves, see them all.
    for (const std::string_view name : {"compare", "batch_ramp", "critical_batch", "hyperparameters", "mup"})
        EXPECT_EQ(runs_for(law(name), runs).used.size(), runs.used.size()) << name;
}

TEST(Families, areTheirStudysAlone) {
    // A trial that the studies isoflop and schedules share has the name of its recipe in the second: the
    // budgets are of one recipe all the same.
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    for (std::size_t i = 0; i < runs.used.size(); ++i) {
        runs.used[i].studies = {"isoflop"};
        if (i < 10) runs.used[i].studies.push_back("schedules"), runs.used[i].family = "tuned";
    }
    EXPECT_THAT(runs_for(law("isoflop"), runs).used, SizeIs(28));
    EXPECT_EQ(runs_for(law("isoflop"), runs).used.front().family, "");
    EXPECT_EQ(runs_for(law("compare"), runs).used.front().family, "tuned");
}

const Table& held_out_of(const LawFit& fit) {
    for (const Table& table : fit.tables)
        if (table.key == "held_out") return table;
    throw std::logic_error("nothing was held out");
}

/// Each run at three learning rates, of which one is the law's; the others lose 5 and 10%.
Runs at_three_rates(const Runs& runs) {
    Runs all = runs;
    all.used.clear();
    for (Run run : runs.used) {
        const double best = run.loss;
        for (const double lost : {0.0, 0.05, 0.1}) {
            run.learning_rate = 1e-3 * (1 + lost), run.loss = best * (1 + lost);
            all.used.push_back(run);
        }
    }
    return all;
}

TEST(Validation, isGivenTheScatterOfWellTunedRunsAlone) {
    Runs runs = at_three_rates(runs_of_two_studies());
    for (const auto& run : isoflop_runs({6.4e20}, 3, 2, known_loss).used)
        runs.used.push_back(run), runs.used.back().studies = {"validation"};
    FitOptions options;
    options.bootstrap = 50;
    const Answer all = answer(runs, {"joint"}, options, {}, {}, {});
    const Table& held_out = held_out_of(all.fits.front());
    ASSERT_THAT(held_out.rows, SizeIs(3));
    for (const auto& row : held_out.rows) {
        // Without noise every replicate is the law, and no run of the best rate lies off it.
        const auto predicted = std::get<double>(row[4]);
        EXPECT_NEAR(std::get<double>(row[5]) / predicted, 1, 1e-3);
        EXPECT_NEAR(std::get<double>(row[6]) / predicted, 1, 1e-3);
    }
}

TEST(Validation, isPredictedByLawsThatDidNotSeeIt) {
    Runs runs = runs_of_two_studies();
    Runs larger = isoflop_runs({6.4e20}, 3, 2, known_loss);
    for (auto& run : larger.used) {
        run.studies = {"validation"};
        run.loss *= 1.02;  // so that a law fitted to it would show
        runs.used.push_back(run);
    }
    FitOptions options;
    options.bootstrap = 50;
    const Answer all = answer(runs, {"joint"}, options, {}, {}, {});
    ASSERT_THAT(all.fits, SizeIs(1));
    const LawFit& joint = all.fits.front();
    EXPECT_NEAR(value_of(joint.parameters, "alpha"), known_law.alpha, 1e-3);
    ASSERT_THAT(held_out_of(joint).rows, SizeIs(3));
    for (const auto& row : held_out_of(joint).rows)
        EXPECT_NEAR(std::get<double>(row.back()), 1 / 1.02 - 1, 1e-3);
    EXPECT_THAT(joint.notes, testing::Contains(HasSubstr("of 3 runs held out for validation, 0 lie inside")));

    // A recommendation lies so far beyond the runs that the law was fitted to, not those held out.
    EXPECT_EQ(all.largest_fitted, four_budgets.back());
    EXPECT_THAT(all.targets, ElementsAre(100 * four_budgets.back()));
    EXPECT_DOUBLE_EQ(all.decisions.at(0).decades, 2);

    options.bootstrap = 0;
    EXPECT_THAT(
        answer(runs, {"joint"}, options, {}, {}, {}).fits.front().notes,
        testing::Contains(HasSubstr("of 3 runs held out for validation, none of which has an interval")));
}

}  // namespace
}  // namespace isogrid::analysis
