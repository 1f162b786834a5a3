// The numbers that other groups published, from the runs they published.
#include <algorithm>

#include <gtest/gtest.h>

#include "analysis/answer/answer.hpp"
#include "published_data.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

/// Besiroglu et al. 2024 (arXiv 2404.10102): points digitised from figure 4 of Hoffmann et al. 2022.
LawFit fit_chinchilla(const std::filesystem::path& file, const char* objective, std::size_t dropped,
                      std::size_t replicates) {
    CsvRequest request{
        file, parse_columns("parameters=Model Size,flops=Training FLOP,loss=loss").value(), {}, dropped};
    FitOptions options;
    options.objective = parse_objective(objective).value();
    options.bootstrap = replicates;
    return fit_joint(read_csv(request).value(), options);
}

const std::filesystem::path chinchilla = published_data() / "besiroglu" / "svg_extracted_data.csv";

TEST(Published, l1OptimumOfChinchillasPoints) {
    ISOGRID_NEEDS_PUBLISHED(chinchilla);
    const LawFit fit = fit_chinchilla(chinchilla, "l1", 5, 0);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_LE(fit.objective_value, 1.129494663);  // no worse than published
    EXPECT_GT(fit.objective_value, 1.1294);
    EXPECT_NEAR(value_of(fit.parameters, "A"), 482.006, 0.5);
    EXPECT_NEAR(value_of(fit.parameters, "B"), 2085.434, 2);
    EXPECT_NEAR(value_of(fit.parameters, "E"), 1.816864, 2e-3);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.347813, 3.5e-4);
    EXPECT_NEAR(value_of(fit.parameters, "beta"), 0.365854, 3.7e-4);
}

TEST(Published, huberOptimumOfChinchillasPoints) {
    ISOGRID_NEEDS_PUBLISHED(chinchilla);
    const LawFit fit = fit_chinchilla(chinchilla, "huber:1e-3", 5, 0);
    ASSERT_FALSE(fit.refused) << to_string(*fit.refused);
    EXPECT_LE(fit.objective_value, 1.018274018e-3 * (1 + 1e-9));  // published to ten digits
    EXPECT_NEAR(value_of(fit.parameters, "A"), 477.825, 0.5);
    EXPECT_NEAR(value_of(fit.parameters, "B"), 2143.42, 2);
    EXPECT_NEAR(value_of(fit.parameters, "E"), 1.817218, 2e-3);
    EXPECT_NEAR(value_of(fit.parameters, "alpha"), 0.347310, 3.5e-4);
    EXPECT_NEAR(value_of(fit.parameters, "beta"), 0.367172, 3.7e-4);
}

TEST(Published, standardErrorsOfChinchillasPoints) {
    ISOGRID_NEEDS_PUBLISHED(chinchilla);
    const LawFit fit = fit_chinchilla(chinchilla, "huber:1e-3", 5, 4000);
    EXPECT_NEAR(estimate_of(fit.parameters, "A").se / 124.52, 1, 0.05);
    EXPECT_NEAR(estimate_of(fit.parameters, "E").se / 0.02566, 1, 0.05);
    EXPECT_NEAR(estimate_of(fit.parameters, "alpha").se / 0.01540, 1, 0.05);
    EXPECT_NEAR(estimate_of(fit.parameters, "beta").se / 0.02060, 1, 0.05);
    // B's has a long upper tail, where the published optimizer stops short (docs/laws/joint.md): ours is 5 to
    // 8% above by seed.
    EXPECT_NEAR(estimate_of(fit.parameters, "B").se / 1293.28, 1, 0.10);
}

TEST(Published, distanceOfHoffmannsPrintedLaw) {
    ISOGRID_NEEDS_PUBLISHED(chinchilla);
    CsvRequest request{
        chinchilla, parse_columns("parameters=Model Size,flops=Training FLOP,loss=loss").value(), {}, 5};
    FitOptions options;
    options.objective = parse_objective("l1").value();
    options.bootstrap = 4000;
    options.check = JointLaw{1.69, 406.4, 410.7, .3392, .2849};
    const LawFit fit = fit_joint(read_csv(request).value(), options);
    const auto table = std::find_if(fit.tables.begin(), fit.tables.end(),
                                    [](const Table& candidate) { return candidate.key == "check"; });
    ASSERT_NE(table, fit.tables.end());
    EXPECT_NEAR(std::get<double>(table->rows[1][1]) / 238.40, 1, 0.15);  // 218 to 252 by seed
}

TEST(Published, allOfChinchillasPointsRaiseBeta) {
    ISOGRID_NEEDS_PUBLISHED(chinchilla);
    EXPECT_NEAR(value_of(fit_chinchilla(chinchilla, "huber:1e-3", 0, 0).parameters, "beta"), 0.453, 1e-3);
}

/// Porian et al. 2024: sizes far from the best of their budgets bend the joint law until its floor lies above
/// losses that were reached. It must not decide, and what decides must expect more of more compute.
TEST(Published, theJointLawOfATunedSweepIsContradictedByItsRuns) {
    const std::filesystem::path file = published_data() / "porian" / "isoflop_points.csv";
    ISOGRID_NEEDS_PUBLISHED(file);
    const Runs runs =
        read_csv({file,
                  parse_columns("parameters=n_params,flops=flops,tokens=tokens,loss=loss").value(),
                  {{"experiment", "optimizer_tuning"}, {"dataset", "rw"}},
                  0})
            .value();
    FitOptions options;
    options.bootstrap = 0;
    const Answer all = answer(runs, {"isoflop", "joint"}, options, {}, {}, {});
    const LawFit& joint = all.fits.back();
    EXPECT_NEAR(value_of(joint.parameters, "E"), 3.131, 1e-3);
    EXPECT_TRUE(joint.surface->contradicted());
    ASSERT_EQ(all.decisions.size(), 1u);
    EXPECT_EQ(all.decisions[0].law, "isoflop");
    EXPECT_LT(all.decisions[0].loss.value, joint.surface->lowest_seen);
    ASSERT_EQ(all.predictions.size(), 1u);
    EXPECT_EQ(all.predictions[0].law, "isoflop");
    ASSERT_EQ(all.rivals.size(), 1u);
    EXPECT_EQ(all.rivals[0].law, "joint");
}

/// Muennighoff et al. 2023: 153 of the 182 runs see their data again, up to thousands of times.
TEST(Published, repeatedDataIsNotTakenForFresh) {
    const std::filesystem::path file = published_data() / "datablations" / "runs_182.csv";
    ISOGRID_NEEDS_PUBLISHED(file);
    const Runs runs =
        read_csv(
            {file,
             parse_columns("parameters=params,tokens=tokens,unique_tokens=unique_tokens,loss=loss,name=name")
                 .value(),
             {},
             0})
            .value();
    FitOptions options;
    options.bootstrap = 0;
    const Answer all = answer(runs, {"joint"}, options, {}, {}, {});
    ASSERT_EQ(all.decisions.size(), 1u);
    const Decision& decision = all.decisions[0];
    EXPECT_GT(decision.tokens.value / decision.parameters.value, 1);  // .15 where repeats count as fresh
    EXPECT_NEAR(value_of(all.fits[0].parameters, "alpha"), 0.293, 2e-3);
}

}  // namespace
}  // namespace isogrid::analysis
