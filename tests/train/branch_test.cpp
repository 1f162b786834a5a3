// A decay that leaves a trunk is the trial trained straight through, bit for bit.
#include <algorithm>

#include <gtest/gtest.h>

#include "archive/record.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "study/branches.hpp"
#include "train/communicator.hpp"
#include "train/kept_in_memory.hpp"
#include "train/small_trial.hpp"
#include "train/trainer.hpp"

namespace isogrid::tests {
namespace {

study::PlannedTrial trunk() {
    study::PlannedTrial planned;
    study::Trial& trial = planned.trial;
    trial.shape = {
        .width = 8, .depth = 1, .heads = 1, .mlp_width = 8, .vocabulary = vocabulary, .context = 8};
    trial.parametrization.base_width = 8;
    trial.optimizer.learning_rate = 0.01;
    trial.schedule = {.kind = study::ScheduleKind::constant, .warmup_steps = 5};
    trial.batch = 8;
    trial.leaves = 4;
    trial.steps = 203;
    trial.seed = 3;
    trial.evaluation = {.tokens = 64, .steps = {16, 101, 203}};
    return planned;
}

/// Leaves the trunk after `start` steps and decays over 20.
study::PlannedTrial branch(std::int64_t start, study::DecayForm form) {
    study::PlannedTrial planned = trunk();
    study::Trial& trial = planned.trial;
    trial.schedule.kind = study::ScheduleKind::warmup_stable_decay;
    trial.schedule.decay = form;
    trial.schedule.decay_steps = 20;
    trial.steps = start + 20;
    std::erase_if(trial.evaluation.steps, [&](std::int64_t step) { return step > start; });
    trial.evaluation.steps.push_back(trial.steps);
    return planned;
}

std::string digest_after(const study::PlannedTrial& planned, KeptInMemory& memory) {
    const data::TokenFile tokens = corpus();
    const auto backend = kernels::make_cpu_backend();
    train::Alone alone;
    train::TrainOptions options;
    options.checkpoints = &memory;
    archive::TrialRecord record;
    record.planned = planned;
    record.result = train::train(planned.trial, tokens, *backend, alone, options);
    EXPECT_EQ(record.result.outcome, archive::Outcome::completed);
    return archive::digest(record);
}

TEST(Branches, areTheTrialsThatWereTrainedStraightThrough) {
    KeptInMemory of_trunk;
    of_trunk.kept = {{101, {}}, {203, {}}};  // in the middle of a row's mean, and after the trunk's last step
    digest_after(trunk(), of_trunk);
    for (const std::int64_t start : {101, 203})
        for (const study::DecayForm form : study::decay_forms) {
            KeptInMemory straight, from_trunk;
            from_trunk.start_from = of_trunk.kept.at(start);
            ASSERT_EQ(from_trunk.start_from->step, start);
            EXPECT_EQ(digest_after(branch(start, form), from_trunk),
                      digest_after(branch(start, form), straight))
                << study::name(form) << " after " << start;
        }
}

TEST(Branches, areFoundInAGrid) {
    using study::DecayForm;
    study::PlannedTrial other_seed = branch(101, DecayForm::linear), later = branch(204, DecayForm::linear),
                        looks_elsewhere = branch(101, DecayForm::linear);
    other_seed.trial.seed = 4;
    looks_elsewhere.trial.evaluation.steps.insert(looks_elsewhere.trial.evaluation.steps.begin(), 7);
    const std::vector<study::PlannedTrial> all = {trunk(),         branch(101, DecayForm::cosine),
                                                  other_seed,      later,
                                                  looks_elsewhere, branch(203, DecayForm::linear)};
    const std::vector<study::Branch> found = study::branches_of(0, all);
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].trial, &all[1]);
    EXPECT_EQ(found[0].step, 101);
    EXPECT_EQ(found[1].trial, &all[3]) << "decays after the trunk's end, and goes on from there";
    EXPECT_EQ(found[1].step, 203);
    EXPECT_EQ(found[2].trial, &all[5]);
    EXPECT_EQ(found[2].step, 203);
    EXPECT_TRUE(study::branches_of(1, all).empty());
}

TEST(Branches, costTheirDecays) {
    std::vector<study::PlannedTrial> all = {trunk(), branch(101, study::DecayForm::cosine),
                                            branch(203, study::DecayForm::linear)};
    for (study::PlannedTrial& planned : all)
        planned.flops_per_token.exact = 1;
    const auto a_step = static_cast<double>(all[0].trial.tokens_per_step());
    const study::BranchCosts costs = study::branch_costs(all);
    EXPECT_EQ(costs.trunks, 1u);
    EXPECT_EQ(costs.branches, 2u);
    EXPECT_DOUBLE_EQ(costs.apart, a_step * (121 + 223));
    EXPECT_DOUBLE_EQ(costs.shared, a_step * (203 + 20 + 20));
}

}  // namespace
}  // namespace isogrid::tests
