// A trial that is stopped and taken up again is the trial that was never stopped, bit for bit.
#include "train/checkpoint.hpp"

#include <array>
#include <cmath>
#include <map>
#include <new>
#include <vector>

#include <gtest/gtest.h>

#include "archive/record.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "train/kept_in_memory.hpp"
#include "train/small_trial.hpp"
#include "train/thread_group.hpp"
#include "train/trainer.hpp"

namespace isogrid::tests {
namespace {

using archive::Checkpoint;
using archive::Outcome;
using archive::TrialResult;

/// 450 steps: rows of the curve are means over up to eight of them, and most steps end within a row.
study::Trial trial_of_450_steps() {
    study::Trial trial;
    trial.shape = {
        .width = 8, .depth = 1, .heads = 1, .mlp_width = 8, .vocabulary = vocabulary, .context = 8};
    trial.parametrization.base_width = 8;
    trial.optimizer.learning_rate = 0.01;
    trial.schedule.warmup_steps = 5;
    trial.batch = 8;
    trial.leaves = 8;
    trial.steps = 450;
    trial.seed = 3;
    trial.evaluation = {.tokens = 64, .steps = {10, 21, 450}};
    return trial;
}

TrialResult train_on(int ranks, int threads, KeptInMemory* first_ranks) {
    const data::TokenFile tokens = corpus();
    const auto results = on_ranks<TrialResult>(ranks, [&](train::Communicator& group) {
        const auto backend = kernels::make_cpu_backend();
        KeptInMemory nobody_asks;
        train::TrainOptions options;
        options.threads = threads;
        if (first_ranks != nullptr) options.checkpoints = group.rank() == 0 ? first_ranks : &nobody_asks;
        return train::train(trial_of_450_steps(), tokens, *backend, group, options);
    });
    for (const TrialResult& result : results)
        EXPECT_EQ(result.weights_digest, results.front().weights_digest);
    return results.back();  // the one that has all of it from the first rank
}

/// Everything of a result that counts, one digest: the curve's bits included.
std::string digest_of(const TrialResult& result) {
    archive::TrialRecord record;
    record.planned.trial = trial_of_450_steps();
    record.result = result;
    return archive::digest(record);
}

/// What the trial leaves when its state is saved after `step` on `ranks` ranks.
Checkpoint checkpoint_after(std::int64_t step, int ranks) {
    KeptInMemory memory;
    memory.kept[step];
    train_on(ranks, 1, &memory);
    return memory.kept.at(step);
}

TEST(Checkpoint, givesTheSameBitsWhereverItIsTakenAndOnAnyNumberOfRanks) {
    const std::string expected = digest_of(train_on(1, 1, nullptr));
    // The first step, one inside a row of the curve and one at its end, evaluations, and the last but one.
    for (const std::int64_t step : {1, 2, 9, 10, 21, 22, 300, 449}) {
        for (const auto [before, after, threads] :
             {std::array{1, 1, 1}, std::array{1, 8, 1}, std::array{4, 2, 1}, std::array{2, 4, 2}}) {
            KeptInMemory memory(checkpoint_after(step, before));
            ASSERT_EQ(memory.start_from->step, step);
            const TrialResult result = train_on(after, threads, &memory);
            EXPECT_EQ(result.outcome, Outcome::completed);
            EXPECT_EQ(digest_of(result), expected)
                << "saved after step " << step << " on " << before << " ranks, taken up on " << after;
        }
    }
}

TEST(Checkpoint, isAllThatTheRestDependsOn) {
    // A test that the comparison above can fail: another number anywhere in the state gives other results.
    const std::string expected = digest_of(train_on(1, 1, nullptr));
    const Checkpoint good = checkpoint_after(301, 1);
    ASSERT_EQ(good.sums.steps, 5);
    ASSERT_NE(good.sums.loss, 0.0) << "step 301 should be inside a row";
    std::map<std::string, Checkpoint> changed = {{"weights", good},       {"first moment", good},
                                                 {"second moment", good}, {"sum", good},
                                                 {"norms", good},         {"curve", good}};
    changed["weights"].weights[5] += 1e-3f;
    changed["first moment"].first_moment[5] += 1e-3f;
    changed["second moment"].second_moment[5] += 1e-3f;
    changed["sum"].sums.loss += 1e-3;
    changed["norms"].sums.of_leaves[2] += 1e-3;
    changed["curve"].curve[1].training_loss += 1e-3;
    for (const auto& [what, checkpoint] : changed) {
        KeptInMemory memory(checkpoint);
        EXPECT_NE(digest_of(train_on(1, 1, &memory)), expected) << what;
    }
}

TEST(Checkpoint, isLeftWhenATrialIsAskedToStop) {
    const data::TokenFile tokens = corpus();
    const auto backend = kernels::make_cpu_backend();
    train::Alone alone;
    KeptInMemory memory;
    train::TrainOptions options;
    options.checkpoints = &memory;
    options.on_progress = [](const train::Progress&) { return false; };
    const TrialResult cut = train::train(trial_of_450_steps(), tokens, *backend, alone, options);
    EXPECT_EQ(cut.outcome, Outcome::interrupted);
    ASSERT_EQ(memory.kept.size(), 1u);
    ASSERT_EQ(memory.kept.begin()->first, cut.steps_done);
    memory.start_from = memory.kept.begin()->second;

    // Asked again at each first look, it still gets to its end, by a step at a time at least.
    options.on_progress = nullptr;
    EXPECT_EQ(digest_of(train::train(trial_of_450_steps(), tokens, *backend, alone, options)),
              digest_of(train_on(1, 1, nullptr)));
}

TEST(ShareCheckpoint, givesEveryRankWhatTheFirstHas) {
    Checkpoint first{.step = 7,
                     .curve = {{.step = 0, .training_loss = std::nan("")}, {.step = 7, .flops = 1e20}},
                     .sums = {.loss = 0.25, .steps = 3, .of_leaves = {1, 2, 3, 4, 5}, .of_batch = {6, 7}},
                     .weights = {1, 2, 3},
                     .first_moment = {4, 5, 6},
                     .second_moment = {7, 8, 9}};
    for (const int ranks : {1, 2, 4, 8}) {
        const auto shared = on_ranks<std::optional<Checkpoint>>(ranks, [&](train::Communicator& group) {
            std::optional<Checkpoint> mine;
            if (group.rank() == 0) mine = first;
            return train::share_checkpoint(group, mine);
        });
        for (const auto& checkpoint : shared) {
            ASSERT_TRUE(checkpoint);
            EXPECT_EQ(checkpoint->step, 7);
            ASSERT_EQ(checkpoint->curve.size(), 2u);
            EXPECT_TRUE(std::isnan(checkpoint->curve[0].training_loss));
            EXPECT_EQ(checkpoint->curve[1].flops, 1e20);
            EXPECT_EQ(checkpoint->sums.loss, first.sums.loss);
            EXPECT_EQ(checkpoint->sums.steps, first.sums.steps);
            EXPECT_EQ(checkpoint->sums.of_leaves, first.sums.of_leaves);
            EXPECT_EQ(checkpoint->sums.of_batch, first.sums.of_batch);
            EXPECT_EQ(checkpoint->weights, first.weights);
            EXPECT_EQ(checkpoint->first_moment, first.first_moment);
            EXPECT_EQ(checkpoint->second_moment, first.second_moment);
        }
    }
    for (const auto& nothing : on_ranks<std::optional<Checkpoint>>(
             4, [](train::Communicator& group) { return train::share_checkpoint(group, std::nullopt); }))
        EXPECT_FALSE(nothing);
}

/// Has no memory for what it should keep.
class WithoutMemory final : public KeptInMemory {
  public:
    void save(archive::Checkpoint) override { throw std::bad_alloc(); }
    void found_no_memory(std::int64_t step) override { told.push_back(step); }
    std::vector<std::int64_t> told;
};

TEST(Checkpoint, thatMemoryHasNoRoomForIsToldAndLeavesTheTrialAsItIs) {
    WithoutMemory memory;
    memory.kept[9];
    memory.kept[300];
    EXPECT_EQ(digest_of(train_on(1, 1, &memory)), digest_of(train_on(1, 1, nullptr)));
    EXPECT_EQ(memory.told, (std::vector<std::int64_t>{9, 300}));
}

}  // namespace
}  // namespace isogrid::tests
