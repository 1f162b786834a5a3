// Which card is which rank's.
#include "cluster/site/device.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace isogrid::cluster {
namespace {

using Problem = CardChoice::Problem;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int> cards(const std::vector<RankCards>& ranks) {
    std::vector<int> chosen;
    for (const CardChoice& choice : cards_of_node(ranks))
        chosen.push_back(choice.card);
    return chosen;
}

std::vector<Problem> problems(const std::vector<RankCards>& ranks) {
    std::vector<Problem> found;
    for (const CardChoice& choice : cards_of_node(ranks))
        found.push_back(choice.problem);
    return found;
}

study::Job job_for(study::Device device) {
    study::Job job;
    job.path = "jobs/x.toml";
    job.device = device;
    return job;
}

TEST(Cards, areTakenInOrderWhereEveryRankSeesAll) {
    const std::vector<int> all{7, 8, 9};
    EXPECT_THAT(cards({{true, all}, {true, all}, {true, all}}), ElementsAre(0, 1, 2));
}

TEST(Cards, areNotForACoordinator) {
    const std::vector<int> all{7, 8};
    EXPECT_THAT(cards({{false, all}, {true, all}, {true, all}}), ElementsAre(-1, 0, 1));
    EXPECT_THAT(problems({{false, {}}, {true, {7}}}), ElementsAre(Problem::none, Problem::none));
}

TEST(Cards, areThoseThatTheLauncherBound) {
    EXPECT_THAT(cards({{true, {7}}, {true, {8}}}), ElementsAre(0, 0));
}

TEST(Cards, areNeverTwoRanks) {
    EXPECT_THAT(problems({{true, {7}}, {true, {7}}}), ElementsAre(Problem::none, Problem::shared));
    // The second worker takes the card by its place that the third was bound to.
    EXPECT_THAT(problems({{true, {7, 8}}, {true, {7, 8}}, {true, {8}}}),
                ElementsAre(Problem::none, Problem::none, Problem::shared));
}

TEST(Cards, mustBeEnough) {
    const std::vector<int> all{7, 8};
    EXPECT_THAT(problems({{true, all}, {true, all}, {true, all}}),
                ElementsAre(Problem::none, Problem::none, Problem::too_few));
    EXPECT_THAT(problems({{true, {}}}), ElementsAre(Problem::no_card));
}

TEST(Device, isTheProcessorOrACardOrRefusedWithTheReason) {
    const MpiSession alone;
    const kernels::CudaCards none{.cards = {},
                                  .problem = "looking for CUDA cards failed (no driver) get one"};
    const kernels::CudaCards one{.cards = {{"H100", "an identity", 90, 80, 132}}, .problem = ""};
    EXPECT_EQ(choose_card(job_for(study::Device::cpu), alone, one).value(), std::nullopt);
    EXPECT_EQ(choose_card(job_for(study::Device::cuda), alone, one).value(), 0);
    EXPECT_EQ(choose_card(job_for(study::Device::automatic), alone, one).value(), 0);
    EXPECT_EQ(choose_card(job_for(study::Device::automatic), alone, none).value(), std::nullopt);
    const auto refused = choose_card(job_for(study::Device::cuda), alone, none);
    ASSERT_FALSE(refused);
    EXPECT_THAT(base::to_string(refused.error()),
                testing::AllOf(HasSubstr("jobs/x.toml: run.device: there is no CUDA card for this rank"),
                               HasSubstr("no driver"), HasSubstr("device = \"cpu\"")));
}

TEST(Device, saysNothingOfLinksToASingleWorker) {
    const MpiSession alone;
    study::Job job = job_for(study::Device::cuda);
    job.recipe.gradient_sum = study::GradientSum::all_reduce;
    EXPECT_TRUE(link_warnings(job, alone, "").value().empty());
    EXPECT_TRUE(link_warnings(job, alone, "cannot load libnccl.so.2 (not there) get it").value().empty());
}

TEST(Device, saysWhichTrialsACardIsTooSmallFor) {
    EXPECT_TRUE(card_warnings(0, 80'000'000'000).empty());
    EXPECT_THAT(card_warnings(1, 80'000'000'000), ElementsAre(HasSubstr("1 trial needs more memory")));
}

}  // namespace
}  // namespace isogrid::cluster
