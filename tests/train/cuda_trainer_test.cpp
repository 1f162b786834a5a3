// The trainer on CUDA's backend, on the emulated card: whoever touches the card's memory from the program
// ends it.
#include <cmath>

#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.hpp"
#include "train/small_trial.hpp"
#include "train/thread_group.hpp"
#include "train/trainer.hpp"

namespace isogrid::tests {
namespace {

using archive::TrialResult;

std::unique_ptr<kernels::Backend> card() {
    return kernels::cuda::make_backend(0, kernels::cuda::Arithmetic::float32);
}

TrialResult train_on(kernels::Backend& backend, const study::Trial& trial) {
    const data::TokenFile tokens = corpus();
    train::Alone alone;
    return train::train(trial, tokens, backend, alone,
                        {.threads = 4, .on_progress = {}});  // threads are for hosts
}

/// Of few steps: the emulated card is slow.
study::Trial short_trial() {
    study::Trial trial = small_trial();
    trial.steps = 10;
    trial.evaluation = {.tokens = 5 * 16, .steps = {10}};
    return trial;
}

study::Trial in_bfloat16() {
    study::Trial trial = short_trial();
    trial.precision = study::Precision::bfloat16;
    return trial;
}

TEST(CudaTrainer, followsTheReference) {
    // As Trainer.theFastBackendFollowsTheReference and bfloat16FollowsFloat32 have it for the processor.
    const auto reference = kernels::make_reference_backend(), cuda = card();
    EXPECT_NEAR(train_on(*cuda, short_trial()).validation_loss,
                train_on(*reference, short_trial()).validation_loss, 1e-3);
    EXPECT_NEAR(train_on(*cuda, in_bfloat16()).validation_loss,
                train_on(*reference, in_bfloat16()).validation_loss, 0.02);
}

TEST(CudaTrainer, givesTheSameBitsAgainAndOnAnyNumberOfRanks) {
    for (const study::Trial& trial : {short_trial(), in_bfloat16()}) {
        const TrialResult expected = train_on(*card(), trial);
        EXPECT_EQ(train_on(*card(), trial).weights_digest, expected.weights_digest);
        const data::TokenFile tokens = corpus();
        const auto results = on_ranks<TrialResult>(
            2, [&](train::Communicator& group) { return train::train(trial, tokens, *card(), group, {}); });
        for (const TrialResult& result : results) {
            EXPECT_EQ(result.weights_digest, expected.weights_digest);
            EXPECT_EQ(result.validation_loss, expected.validation_loss);
        }
    }
}

TEST(CudaTrainer, hasNoMemoryForAModelLargerThanTheCard) {
    study::Trial large = short_trial();
    large.shape.width = 16384;
    large.shape.mlp_width = 65536;
    const auto cuda = card();
    EXPECT_THROW(train_on(*cuda, large), std::bad_alloc);
    EXPECT_EQ(train_on(*cuda, short_trial()).outcome, archive::Outcome::completed);  // and the next one has
}

TEST(CudaTrainer, measuresAStep) {
    EXPECT_GT(train::measure_seconds_per_step(short_trial(), *card()), 0);
}

}  // namespace
}  // namespace isogrid::tests
