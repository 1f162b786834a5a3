// The trainer on CUDA's backend. On the emulated card, whoever touches the card's memory from the program
// ends it; on a machine's own card the same tests run too, and are skipped where there is none.
#include <algorithm>
#include <cmath>
#include <exception>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "graph/chunked_head.hpp"
#include "graph/program.hpp"
#include "kernels/cuda/cuda_backend.hpp"
#include "model/llama.hpp"
#include "train/cost.hpp"
#include "train/small_trial.hpp"
#include "train/step.hpp"
#include "train/thread_group.hpp"
#include "train/trainer.hpp"
#include "train/windows.hpp"

namespace isogrid::tests {
namespace {

using archive::TrialResult;

using kernels::cuda::Launches;
using kernels::cuda::Waits;

std::unique_ptr<kernels::Backend> card(Launches launches = Launches::recorded) {
    return kernels::cuda::make_backend(0, kernels::cuda::Arithmetic::float32, launches);
}

class CudaTrainer : public testing::Test {
  protected:
    void SetUp() override {
        try {
            card();
        } catch (const std::exception& error) {
            GTEST_SKIP() << error.what();
        }
    }
};

TrialResult train_on(kernels::Backend& backend, const study::Trial& trial,
                     train::TrainOptions options = {.on_progress = {}}) {
    const data::TokenFile tokens = corpus();
    train::Alone alone;
    options.threads = 4;  // for hosts
    return train::train(trial, tokens, backend, alone, options);
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

TEST_F(CudaTrainer, followsTheReference) {
    // As Trainer.theFastBackendFollowsTheReference and bfloat16FollowsFloat32 have it for the processor.
    const auto reference = kernels::make_reference_backend(), cuda = card();
    EXPECT_NEAR(train_on(*cuda, short_trial()).validation_loss,
                train_on(*reference, short_trial()).validation_loss, 1e-3);
    EXPECT_NEAR(train_on(*cuda, in_bfloat16()).validation_loss,
                train_on(*reference, in_bfloat16()).validation_loss, 0.02);
}

/// Of one block of a trial's first windows, in the program's memory.
struct Outcome {
    std::vector<float> losses, gradient;
};
Outcome outcome_of(const study::Trial& trial, std::int64_t logit_rows, kernels::Backend& backend) {
    graph::Graph graph =
        model::build_training(trial.shape, trial.parametrization, trial.precision, trial.batch, 1.0f).graph;
    graph::chunk_head(graph, logit_rows);
    graph::Program program(std::move(graph), backend);
    const auto floats = static_cast<std::size_t>(program.layout().floats);
    const kernels::Storage memory = backend.allocate(2 * floats * sizeof(float));
    const std::span weights(reinterpret_cast<float*>(memory.get()), floats);
    const std::span gradient(weights.data() + floats, floats);
    backend.fill_zero(memory.get(), 2 * floats * sizeof(float));
    const std::vector<float> initial = model::initial_weights(
        model::build_forward(trial.shape, trial.parametrization, trial.precision, 1).roles, program.layout(),
        trial.shape, trial.parametrization, trial.seed);
    backend.copy_in(weights.data(), initial.data(), floats * sizeof(float));
    program.parameters()->pack(weights);
    const data::TokenFile tokens = corpus();
    train::Windows windows(trial.batch, trial.shape.context, backend);
    windows.fill(tokens.training(), [&](std::int64_t i) { return i * trial.shape.context; });
    program.run(windows.inputs(0, trial.batch), windows.targets(0, trial.batch), gradient);
    Outcome outcome{std::vector<float>(program.losses().size()), std::vector<float>(floats)};
    backend.copy_out(outcome.losses.data(), program.losses().data(), program.losses().size_bytes());
    backend.copy_out(outcome.gradient.data(), gradient.data(), gradient.size_bytes());
    return outcome;
}

TEST_F(CudaTrainer, takesLogitsOfAFewRowsAtATime) {
    // 128 rows in chunks of 48, the last of which has 32.
    const auto reference = kernels::make_reference_backend(), cuda = card();
    for (const study::Trial& trial : {short_trial(), in_bfloat16()}) {
        const Outcome whole = outcome_of(trial, 128, *cuda), parts = outcome_of(trial, 48, *cuda),
                      again = outcome_of(trial, 48, *cuda), expected = outcome_of(trial, 48, *reference);
        EXPECT_EQ(parts.gradient, again.gradient);
        // Logits are sums of 16 products each of some units; a product of other rows may sum in another
        // order.
        for (std::size_t i = 0; i < whole.losses.size(); ++i)
            ASSERT_NEAR(parts.losses[i], whole.losses[i], 1e-5) << i;
        // Losses of a few nats; in bfloat16 what leads to them was rounded to 8 bits some ten times.
        const double share = trial.precision == study::Precision::float32 ? 1e-5 : 0.04;
        double largest = 0;
        for (const float slope : expected.gradient)
            largest = std::max(largest, std::abs(double{slope}));
        for (std::size_t i = 0; i < expected.gradient.size(); ++i)
            ASSERT_NEAR(parts.gradient[i], expected.gradient[i], share * largest) << i;
        for (std::size_t i = 0; i < expected.losses.size(); ++i)
            ASSERT_NEAR(parts.losses[i], expected.losses[i], 5 * share) << i;
    }
}

TEST_F(CudaTrainer, givesTheSameBitsAgainAndOnAnyNumberOfRanks) {
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

TEST_F(CudaTrainer, givesTheSameBitsWhetherStepsAreRecordedOrNot) {
    for (const study::Trial& trial : {short_trial(), in_bfloat16()}) {
        const TrialResult recorded = train_on(*card(), trial);
        const TrialResult plain = train_on(*card(Launches::one_by_one), trial);
        EXPECT_EQ(recorded.weights_digest, plain.weights_digest);
        ASSERT_EQ(recorded.curve.size(), plain.curve.size());
        for (std::size_t i = 1; i < plain.curve.size(); ++i) {
            EXPECT_EQ(recorded.curve[i].training_loss, plain.curve[i].training_loss);
            EXPECT_EQ(recorded.curve[i].gradient_norm, plain.curve[i].gradient_norm);
            EXPECT_EQ(recorded.curve[i].noise.variance, plain.curve[i].noise.variance);
        }
    }
}

/// What trials give that train at the same time, each on a thread with a queue to the card of its own.
std::vector<TrialResult> trained_together(const std::vector<study::Trial>& trials) {
    std::vector<TrialResult> results(trials.size());
    std::vector<std::thread> seats;
    for (std::size_t i = 0; i < trials.size(); ++i)
        seats.emplace_back([&, i] {
            const auto own = kernels::cuda::make_backend(0, kernels::cuda::Arithmetic::float32,
                                                         Launches::recorded, Waits::naps);
            results[i] = train_on(*own, trials[i]);
        });
    for (std::thread& seat : seats)
        seat.join();
    return results;
}

TEST_F(CudaTrainer, givesTheBitsOfEachTrialAloneWhereSeveralTrainAtOnce) {
    study::Trial other = short_trial(), wide = short_trial();
    other.seed = 7;
    wide.shape.width *= 2;
    wide.steps = 12;
    wide.evaluation.steps = {12};
    const std::vector<study::Trial> trials = {short_trial(), other, wide, in_bfloat16()};
    std::vector<std::string> alone;
    for (const study::Trial& trial : trials)
        alone.push_back(train_on(*card(), trial).weights_digest);
    for (const std::size_t together : {std::size_t{2}, trials.size()}) {
        const std::vector<study::Trial> some(trials.begin(),
                                             trials.begin() + static_cast<std::ptrdiff_t>(together));
        const std::vector<TrialResult> results = trained_together(some);
        for (std::size_t i = 0; i < together; ++i) {
            EXPECT_EQ(results[i].outcome, archive::Outcome::completed) << results[i].cause;
            EXPECT_EQ(results[i].weights_digest, alone[i]) << "trial " << i << " of " << together;
        }
    }
}

TEST_F(CudaTrainer, lacksMemoryForOneTrialWithoutTheOthersBesideIt) {
    study::Trial large = short_trial();
    // Logits of a block's 32 rows fill the gigabyte of the emulated card; a real one has room for those, and
    // none for the 275 GB of the embedding.
    large.shape.width = 8192;
    large.shape.vocabulary = std::int64_t{1} << 23;
    std::vector<TrialResult> beside;
    bool lacked = false;
    std::thread other([&] { beside = trained_together({short_trial(), in_bfloat16()}); });
    try {
        train_on(*card(), large);
    } catch (const std::bad_alloc&) {
        lacked = true;
    }
    other.join();
    EXPECT_TRUE(lacked);
    EXPECT_EQ(beside[0].weights_digest, train_on(*card(), short_trial()).weights_digest);
    EXPECT_EQ(beside[1].weights_digest, train_on(*card(), in_bfloat16()).weights_digest);
}

/// Keeps the state after one step.
class KeptOnce final : public train::CheckpointKeeper {
  public:
    explicit KeptOnce(std::int64_t step) : step_(step) {}
    std::optional<archive::Checkpoint> load() override { return kept_; }
    bool due(std::int64_t step) override { return step == step_; }
    bool wanted(std::int64_t step) const override { return step == step_; }
    void save(archive::Checkpoint checkpoint) override { kept_ = std::move(checkpoint); }
    void found_no_memory(std::int64_t) override {}

  private:
    std::int64_t step_;
    std::optional<archive::Checkpoint> kept_;
};

TEST_F(CudaTrainer, goesOnFromACheckpointToTheSameBits) {
    KeptOnce keeper(/*step=*/7);
    const TrialResult whole = train_on(*card(), short_trial(), {.on_progress = {}, .checkpoints = &keeper});
    ASSERT_TRUE(keeper.load());
    const TrialResult resumed = train_on(*card(), short_trial(), {.on_progress = {}, .checkpoints = &keeper});
    EXPECT_EQ(resumed.weights_digest, whole.weights_digest);
    ASSERT_EQ(resumed.curve.size(), whole.curve.size());
    EXPECT_EQ(resumed.curve.back().training_loss, whole.curve.back().training_loss);
    EXPECT_EQ(resumed.curve.back().noise.variance, whole.curve.back().noise.variance);
}

/// Long enough for launches of two steps, and of four: rows of the curve are two steps apart from 64 on, and
/// four from 128.
study::Trial long_trial() {
    study::Trial trial = short_trial();
    trial.shape.mlp_width = 16;
    trial.shape.context = 8;
    trial.batch = 2;
    trial.leaves = 2;
    trial.steps = 141;
    trial.evaluation = {.tokens = 16, .steps = {139, 141}};
    return trial;
}

TEST_F(CudaTrainer, givesTheSameBitsHoweverManyStepsALaunchMakes) {
    const study::Trial trial = long_trial();
    EXPECT_GE(train::steps_a_launch(trial, 1, *card()), 4);
    EXPECT_EQ(train::steps_a_launch(trial, 1, *card(Launches::one_by_one)), 1);
    const TrialResult single = train_on(*card(Launches::one_by_one), trial);
    KeptOnce keeper(/*step=*/135);  // within what would be one launch
    const TrialResult several = train_on(*card(), trial, {.on_progress = {}, .checkpoints = &keeper});
    ASSERT_TRUE(keeper.load());
    EXPECT_EQ(keeper.load()->step, 135);
    const TrialResult resumed = train_on(*card(), trial, {.on_progress = {}, .checkpoints = &keeper});
    for (const TrialResult& result : {several, resumed}) {
        EXPECT_EQ(result.weights_digest, single.weights_digest);
        EXPECT_EQ(result.validation_loss, single.validation_loss);
        ASSERT_EQ(result.curve.size(), single.curve.size());
        for (std::size_t i = 1; i < single.curve.size(); ++i) {
            EXPECT_EQ(result.curve[i].step, single.curve[i].step);
            EXPECT_EQ(result.curve[i].training_loss, single.curve[i].training_loss);
            EXPECT_EQ(result.curve[i].noise.variance, single.curve[i].noise.variance);
        }
    }
}

TEST_F(CudaTrainer, endsADivergedTrialAtTheStepThatItDivergedAt) {
    study::Trial wild = short_trial();
    wild.optimizer.learning_rate = 1e18;
    wild.schedule.warmup_steps = 0;
    const auto reference = kernels::make_reference_backend();
    const TrialResult expected = train_on(*reference, wild), found = train_on(*card(), wild);
    ASSERT_EQ(expected.outcome, archive::Outcome::diverged);
    EXPECT_EQ(found.outcome, expected.outcome);
    EXPECT_EQ(found.cause, expected.cause);
    EXPECT_EQ(found.steps_done, expected.steps_done);
    EXPECT_EQ(found.curve.size(), expected.curve.size());
}

TEST_F(CudaTrainer, hasNoMemoryForAModelLargerThanTheCard) {
    study::Trial large = short_trial();
    large.shape.width = 32768;
    large.shape.mlp_width = 131072;
    const auto cuda = card();
    EXPECT_THROW(train_on(*cuda, large), std::bad_alloc);
    EXPECT_EQ(train_on(*cuda, short_trial()).outcome, archive::Outcome::completed);  // and the next one has
}

TEST_F(CudaTrainer, followsFloat32InTf32) {
    // A check of the card's products: rounded no more than bfloat16 is (followsTheReference). Whether they
    // are rounded at all is cuBLASLt's choice, which may use tensor cores then, and need not for so small
    // ones.
    const auto tf32 = kernels::cuda::make_backend(0, kernels::cuda::Arithmetic::tf32);
    const TrialResult rough = train_on(*tf32, short_trial()), exact = train_on(*card(), short_trial());
    EXPECT_NEAR(rough.validation_loss, exact.validation_loss, 0.02);
}

TEST_F(CudaTrainer, measuresAStep) {
    EXPECT_GT(train::measure_seconds_per_step(short_trial(), *card(), 1), 0);
}

}  // namespace
}  // namespace isogrid::tests
