// A trial's result is a pure function of its specification, and training teaches.
#include "train/trainer.hpp"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numbers>
#include <set>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.hpp"
#include "model/llama.hpp"
#include "study/flops.hpp"
#include "train/blocks.hpp"
#include "train/cost.hpp"
#include "train/kept_in_memory.hpp"
#include "train/small_trial.hpp"
#include "train/thread_group.hpp"

namespace isogrid::tests {
namespace {

using archive::Outcome;
using archive::TrialResult;

TrialResult train_alone(const study::Trial& trial, const train::TrainOptions& options = {}) {
    const data::TokenFile tokens = corpus();
    const auto backend = kernels::make_cpu_backend();
    train::Alone alone;
    return train::train(trial, tokens, *backend, alone, options);
}

TEST(Trainer, learnsMoreThanTheUnigramKnows) {
    const TrialResult result = train_alone(small_trial());
    EXPECT_EQ(result.outcome, Outcome::completed);
    EXPECT_NEAR(result.curve.front().validation_loss, std::log(vocabulary), 0.7);
    EXPECT_LT(result.validation_loss, 0.8 * std::log(vocabulary));
    EXPECT_DOUBLE_EQ(result.bits_per_byte, result.validation_loss / std::numbers::ln2);  // one byte a token
}

TEST(Trainer, givesTheSameBitsOnAnyNumberOfRanks) {
    const TrialResult expected = train_alone(small_trial());
    for (const int ranks : {2, 4}) {
        const data::TokenFile tokens = corpus();
        const auto results = on_ranks<TrialResult>(ranks, [&](train::Communicator& group) {
            const auto backend = kernels::make_cpu_backend();
            return train::train(small_trial(), tokens, *backend, group, {});
        });
        for (const TrialResult& result : results) {
            EXPECT_EQ(result.weights_digest, expected.weights_digest) << ranks << " ranks";
            EXPECT_EQ(result.validation_loss, expected.validation_loss) << ranks << " ranks";
            ASSERT_EQ(result.curve.size(), expected.curve.size());
            for (std::size_t i = 1; i < result.curve.size(); ++i) {
                EXPECT_EQ(result.curve[i].training_loss, expected.curve[i].training_loss);
                EXPECT_EQ(result.curve[i].gradient_norm, expected.curve[i].gradient_norm);
                EXPECT_EQ(result.curve[i].noise.signal, expected.curve[i].noise.signal);
                EXPECT_EQ(result.curve[i].noise.variance, expected.curve[i].noise.variance);
            }
        }
    }
}

TEST(Trainer, givesTheSameBitsOnAnyNumberOfThreads) {
    const TrialResult expected = train_alone(small_trial());
    for (const int threads : {2, 3, 4, 16}) {
        train::TrainOptions options;
        options.threads = threads;
        const TrialResult result = train_alone(small_trial(), options);
        EXPECT_EQ(result.weights_digest, expected.weights_digest) << threads << " threads";
        EXPECT_EQ(result.validation_loss, expected.validation_loss) << threads << " threads";
        EXPECT_EQ(result.curve.back().noise.signal, expected.curve.back().noise.signal);
        EXPECT_EQ(result.curve.back().noise.variance, expected.curve.back().noise.variance);
    }
}

TEST(Trainer, givesTheSameBitsOnEveryInstructionSet) {
    namespace cpu = kernels::cpu;
    for (const study::Precision precision : study::precisions) {
        study::Trial trial = small_trial();
        trial.precision = precision;
        std::set<std::string> digests;
        for (const cpu::InstructionSet instruction_set : cpu::instruction_sets)
            if (cpu::supported(instruction_set) &&
                // The tiles of AMX sum in an order of their own (docs/methods.md).
                (precision != study::Precision::bfloat16 || instruction_set != cpu::InstructionSet::amx)) {
                const data::TokenFile tokens = corpus();
                train::Alone alone;
                digests.insert(train::train(trial, tokens, *cpu::make_backend(instruction_set), alone, {})
                                   .weights_digest);
            }
        EXPECT_EQ(digests.size(), 1u) << name(precision);
    }
}

TEST(Trainer, bfloat16FollowsFloat32) {
    // Activations are rounded to 8 bits: other bits, and a loss that differs by less than another seed's.
    study::Trial rounded = small_trial(), other_seed = small_trial();
    rounded.precision = study::Precision::bfloat16;
    other_seed.seed = 4;
    const TrialResult exact = train_alone(small_trial()), near = train_alone(rounded);
    EXPECT_EQ(near.outcome, Outcome::completed);
    EXPECT_NE(near.weights_digest, exact.weights_digest);
    EXPECT_LT(std::abs(near.validation_loss - exact.validation_loss),
              std::abs(train_alone(other_seed).validation_loss - exact.validation_loss));
    const data::TokenFile tokens = corpus();
    const auto reference = kernels::make_reference_backend();
    train::Alone alone;
    EXPECT_NEAR(near.validation_loss, train::train(rounded, tokens, *reference, alone, {}).validation_loss,
                0.02);
}

TEST(Blocks, addUpToTheGradientOfAllSequences) {
    // A head of its own: every sum over rows then goes on from block to block, bit for bit.
    const data::TokenFile tokens = corpus();
    const auto backend = kernels::make_cpu_backend();
    for (const study::Precision precision : study::precisions) {
        study::Trial whole = small_trial();
        whole.precision = precision;
        whole.shape.tied_head = false;
        whole.leaves = 1;
        const auto gradient_of = [&](graph::Graph graph) {
            train::Blocks blocks(std::move(graph), *backend);
            const model::Llama model = model::build_forward(whole.shape, whole.parametrization, precision, 1);
            const std::vector<float> weights = model::initial_weights(model.roles, blocks.program().layout(),
                                                                      whole.shape, whole.parametrization, 1);
            blocks.program().parameters()->pack(weights);
            std::vector<float> gradient(weights.size());
            train::Windows windows(whole.batch, whole.shape.context, *backend);
            windows.fill(tokens.training(), [](std::int64_t sequence) { return 100 * sequence; });
            double loss = 0;
            blocks.run(windows, 0, whole.batch, gradient, &loss);
            return gradient;
        };
        const auto graph_over = [&](std::int64_t sequences) {
            return model::build_training(whole.shape, whole.parametrization, precision, sequences,
                                         1.0f / static_cast<float>(whole.tokens_per_step()))
                .graph;
        };
        EXPECT_EQ(gradient_of(graph_over(2)), gradient_of(graph_over(8))) << name(precision);
        EXPECT_EQ(gradient_of(train::training_graph(whole, *backend)), gradient_of(graph_over(8)))
            << name(precision);
    }
}

TEST(Blocks, divideTheLeaf) {
    study::Trial trial = small_trial();
    trial.shape.context = 128;
    const auto backend = kernels::make_cpu_backend();
    for (const std::int64_t leaf_batch : {1, 2, 3, 5, 6, 7, 16}) {
        trial.leaves = 1;
        trial.batch = leaf_batch;
        const std::int64_t sequences = train::block_sequences(trial, *backend);
        EXPECT_GE(sequences, 1);
        EXPECT_EQ(leaf_batch % sequences, 0) << leaf_batch;
    }
}

TEST(Trainer, measuresGradientNoiseInEveryGroup) {
    const TrialResult result = train_alone(small_trial());
    EXPECT_TRUE(std::isnan(result.curve.front().noise.signal));  // before the first step
    for (std::size_t i = 1; i < result.curve.size(); ++i) {
        const archive::CurvePoint& row = result.curve[i];
        EXPECT_GT(row.noise.variance, 0);
        double signal = 0, variance = 0;
        for (const archive::GradientNoise& group : row.noise_of_group) {
            signal += group.signal;
            variance += group.variance;
        }
        EXPECT_NEAR(signal, row.noise.signal, 1e-12 * row.noise.variance);
        EXPECT_NEAR(variance, row.noise.variance, 1e-12 * row.noise.variance);
    }
}

TEST(Trainer, seesNoNoiseInOneLeaf) {
    study::Trial trial = small_trial();
    trial.leaves = 1;
    EXPECT_TRUE(std::isnan(train_alone(trial).curve.back().noise.variance));
}

TEST(Trainer, dependsOnTheSeedAndOnNothingElse) {
    study::Trial other_seed = small_trial();
    other_seed.seed = 4;
    EXPECT_EQ(train_alone(small_trial()).weights_digest, train_alone(small_trial()).weights_digest);
    EXPECT_NE(train_alone(small_trial()).weights_digest, train_alone(other_seed).weights_digest);
}

TEST(Trainer, theFastBackendFollowsTheReference) {
    // 40 steps of float32 against float64 accumulation: differences of 1e-7 a step grow, but far less than a
    // seed's.
    const data::TokenFile tokens = corpus();
    const auto reference = kernels::make_reference_backend();
    train::Alone alone;
    const TrialResult slow = train::train(small_trial(), tokens, *reference, alone, {});
    EXPECT_NEAR(train_alone(small_trial()).validation_loss, slow.validation_loss, 1e-3);
}

TEST(Trainer, evaluatesAtItsStepsAndCountsTokensAndFlops) {
    const study::Trial trial = small_trial();
    const TrialResult result = train_alone(trial);
    std::vector<std::int64_t> evaluated;
    for (const archive::CurvePoint& row : result.curve) {
        if (!std::isnan(row.validation_loss)) evaluated.push_back(row.step);
        EXPECT_EQ(row.tokens, row.step * 8 * 16);
    }
    EXPECT_EQ(evaluated, (std::vector<std::int64_t>{0, 10, 20, 40}));
    const double six_n =
        6.0 * static_cast<double>(study::count_parameters(trial.shape).total() * 40 * 8 * 16);
    EXPECT_GT(result.curve.back().flops, 0.8 * six_n);
    EXPECT_LT(result.curve.back().flops,
              2.5 * six_n);  // tiny widths: norms and attention weigh as much as products
}

data::TokenFile corpus_validated_on(std::span<const data::Token> validation, const std::string& name) {
    const data::TokenFile training = corpus();
    const auto path = std::filesystem::path(testing::TempDir()) / name;
    const auto written =
        data::write_token_file(path, training.training(), validation, "bytes", vocabulary, 5000, 1000);
    EXPECT_TRUE(written);
    return data::TokenFile::open(path).value();
}

TEST(Trainer, evaluatesASampleThatIsSpreadOverTheWholeValidationPart) {
    // All sequences begin with the same token, so that each is followed rightly by any other.
    const std::int64_t context = small_trial().shape.context, whole = 27;
    std::vector<data::Token> part(static_cast<std::size_t>(whole * context + 1));
    for (std::size_t i = 0; i < part.size(); ++i)
        part[i] = static_cast<data::Token>(i % 16 == 0 ? 0 : (i % 8 == 3 ? i * i / 7 : i * 5) % vocabulary);
    std::vector<data::Token> chosen;  // 10 of 27: 0 2 5 8 10 13 16 18 21 24
    for (const std::int64_t sequence : {0, 2, 5, 8, 10, 13, 16, 18, 21, 24})
        chosen.insert(chosen.end(), part.begin() + sequence * context,
                      part.begin() + (sequence + 1) * context);
    chosen.push_back(0);

    const auto loss = [](const data::TokenFile& tokens, study::EvaluationSample sample,
                         std::int64_t sequences) {
        study::Trial trial = small_trial();
        trial.evaluation.sample = sample;
        trial.evaluation.tokens = sequences * trial.shape.context;
        const auto backend = kernels::make_cpu_backend();
        train::Alone alone;
        return train::train(trial, tokens, *backend, alone, {}).validation_loss;
    };
    using enum study::EvaluationSample;
    const data::TokenFile all = corpus_validated_on(part, "all.tok"),
                          few = corpus_validated_on(chosen, "few.tok");
    EXPECT_EQ(loss(all, spread, 10), loss(few, first, 10));
    EXPECT_NE(loss(all, spread, 10), loss(all, first, 10));
    EXPECT_EQ(loss(all, spread, whole), loss(all, first, whole));
}

/// Decay takes ever more than twice of each weight, so that weights grow until they overflow: at step 135,
/// between rows of the curve (132 and 136), where nobody looks.
study::Trial trial_that_overflows() {
    study::Trial wild = small_trial();
    wild.optimizer.learning_rate = 70;
    wild.steps = wild.schedule.warmup_steps = 400;
    wild.evaluation.steps = {400};
    return wild;
}

TEST(Trainer, endsAtTheFirstStepWithoutALossWhetherOrNotSomebodyLooks) {
    study::Trial wild = trial_that_overflows();
    const TrialResult found = train_alone(wild);
    ASSERT_EQ(found.outcome, Outcome::diverged);
    ASSERT_EQ(found.steps_done, found.curve.back().step + 3);  // of four from row to row
    EXPECT_NE(found.cause.find("step " + std::to_string(found.steps_done) + " "), std::string::npos);
    wild.evaluation.steps = {found.steps_done - 1, found.steps_done, 400};
    const TrialResult watched = train_alone(wild);
    EXPECT_EQ(watched.steps_done, found.steps_done);
    EXPECT_EQ(watched.cause, found.cause);
    EXPECT_EQ(watched.curve.back().step, found.steps_done - 1);
}

TEST(Trainer, endsOnEveryRankWhereTheFirstOneWouldSaveAStateWithoutALoss) {
    const study::Trial wild = trial_that_overflows();
    const TrialResult found = train_alone(wild);
    const data::TokenFile tokens = corpus();
    const auto expect_found_on_both = [&](KeptInMemory& of_first, train::TrainOptions options) {
        const auto results = on_ranks<TrialResult>(2, [&](train::Communicator& group) {
            const auto backend = kernels::make_cpu_backend();
            KeptInMemory of_second;
            train::TrainOptions of_rank = options;
            of_rank.checkpoints = group.rank() == 0 ? &of_first : &of_second;
            return train::train(wild, tokens, *backend, group, of_rank);
        });
        for (const TrialResult& result : results) {
            EXPECT_EQ(result.outcome, Outcome::diverged);
            EXPECT_EQ(result.cause, found.cause);
        }
    };
    const std::int64_t without = found.steps_done, before = without - 1;
    KeptInMemory keeper;
    keeper.kept = {{before, {}}, {without, {}}};
    expect_found_on_both(keeper, {});
    ASSERT_EQ(keeper.kept.at(before).step, before);
    EXPECT_EQ(keeper.kept.at(without).step, 0) << "saved a state that nobody can go on from";

    // Asked to stop in its first step, which is that one.
    KeptInMemory from_before(keeper.kept.at(before));
    expect_found_on_both(from_before, {.on_progress = [](const train::Progress&) { return false; }});
}

TEST(Trainer, aModelWithoutALossAfterItsLastStepHasDiverged) {
    // Its last step still has one, of the weights before it; no step comes whose loss would tell.
    study::Trial wild = trial_that_overflows();
    wild.optimizer.learning_rate = 1e15;
    wild.steps = train_alone(wild).steps_done - 1;
    for (const bool evaluates_there : {true, false}) {  // by its own steps, or as the end of any trial is
        wild.evaluation.steps.clear();
        if (evaluates_there) wild.evaluation.steps = {wild.steps};
        const TrialResult result = train_alone(wild);
        EXPECT_EQ(result.outcome, Outcome::diverged);
        EXPECT_NE(result.cause.find("step " + std::to_string(wild.steps) + " "), std::string::npos);
        EXPECT_EQ(result.steps_done, wild.steps);
        EXPECT_TRUE(result.weights_digest.empty());
        EXPECT_TRUE(std::isfinite(result.curve.back().training_loss));
    }
}

TEST(Trainer, aTrialDivergesAtTheSameStepUnderEveryInstructionSet) {
    const data::TokenFile tokens = corpus();
    for (const double rate : {70.0, 1e4, 1e10, 1e20}) {
        study::Trial wild = trial_that_overflows();
        wild.optimizer.learning_rate = rate;
        std::vector<TrialResult> results;
        for (const kernels::cpu::InstructionSet set : kernels::cpu::instruction_sets) {
            if (!kernels::cpu::supported(set)) continue;
            train::Alone alone;
            const auto backend = kernels::cpu::make_backend(set);
            results.push_back(train::train(wild, tokens, *backend, alone, {}));
            EXPECT_EQ(results.back().outcome, Outcome::diverged);
            EXPECT_EQ(results.back().steps_done, results.front().steps_done) << kernels::cpu::name(set);
            EXPECT_EQ(results.back().curve.back().training_loss, results.front().curve.back().training_loss)
                << kernels::cpu::name(set);
        }
    }
}

TEST(Trainer, aLearningRateThatIsTooLargeIsAnOutcome) {
    study::Trial wild = small_trial();
    wild.optimizer.learning_rate = 50;
    wild.optimizer.gradient_clip = 0;
    wild.steps = 400;
    wild.evaluation.steps = {400};
    const TrialResult result = train_alone(wild);
    EXPECT_EQ(result.outcome, Outcome::diverged);
    EXPECT_FALSE(result.cause.empty());
    EXPECT_TRUE(result.weights_digest.empty());
    EXPECT_LT(result.steps_done, wild.steps);
}

TEST(Trainer, stopsWhereItIsAskedTo) {
    train::TrainOptions options;
    options.stop_after_step = 0;
    const TrialResult start = train_alone(small_trial(), options);
    EXPECT_EQ(start.outcome, Outcome::completed);
    EXPECT_EQ(start.validation_loss, start.curve.front().validation_loss);
    EXPECT_EQ(static_cast<std::int64_t>(start.weights.size()),
              study::count_parameters(small_trial().shape).total());

    options.stop_after_step = 10;
    EXPECT_EQ(train_alone(small_trial(), options).validation_loss,
              train_alone(small_trial()).curve[10].validation_loss);
}

TEST(Trainer, trainsToItsEndWhereItStopsAtNoLoss) {
    // One token again and again: a loss of exactly zero long before the end.
    const std::vector<data::Token> all_zero(5000);
    const auto path = std::filesystem::path(testing::TempDir()) / "all_zero.tok";
    ASSERT_TRUE(data::write_token_file(path, all_zero, all_zero, "bytes", vocabulary, 5000, 5000));
    study::Trial trial = small_trial();
    trial.optimizer.learning_rate = 0.5;
    trial.evaluation.steps = {10, 20, 30, 40};
    const auto backend = kernels::make_cpu_backend();
    train::Alone alone;
    const TrialResult result = train::train(trial, data::TokenFile::open(path).value(), *backend, alone, {});
    EXPECT_EQ(result.steps_done, 40);
    EXPECT_EQ(result.validation_loss, 0.0);
}

TEST(Trainer, anInterruptionIsNoResult) {
    train::TrainOptions options;
    options.on_progress = [](const train::Progress&) { return false; };
    const TrialResult result = train_alone(small_trial(), options);
    EXPECT_EQ(result.outcome, Outcome::interrupted);
    EXPECT_TRUE(std::isnan(result.validation_loss));
}

TEST(Trainer, decayTakesItsShareAndLeavesGainsAlone) {
    // Without gradients (clipped to nothing) a step multiplies every weight but the gains by 1 - rate *
    // decay.
    study::Trial still = small_trial();
    still.steps = 1;
    still.evaluation.steps = {1};
    still.schedule = {.kind = study::ScheduleKind::constant};
    still.optimizer = {.learning_rate = 0.25, .epsilon = 1e30, .weight_decay = 0.5};
    train::TrainOptions start_only;
    start_only.stop_after_step = 0;
    const std::vector<float> before = train_alone(still, start_only).weights;
    const std::vector<float> after = train_alone(still).weights;
    ASSERT_EQ(before.size(), after.size());
    const std::int64_t table = vocabulary * still.shape.width;
    for (std::int64_t i = 0; i < table; ++i)
        EXPECT_FLOAT_EQ(after[i], before[i] * 0.875f);
    for (std::int64_t i = table; i < table + still.shape.width; ++i)
        EXPECT_EQ(after[i], 1.0f);  // the first norm's gain
}

TEST(PlannedBytes, fallWithRanksOnlyByTheGradientsOfTheirLeaves) {
    const auto backend = kernels::make_reference_backend();
    study::Trial trial = small_trial();
    const std::int64_t alone = train::planned_bytes(trial, 1, 1, *backend);
    const std::int64_t shared = train::planned_bytes(trial, 4, 1, *backend);
    EXPECT_LT(shared, alone);
    EXPECT_GT(shared, 4 * 4 * study::count_parameters(trial.shape).total());
    EXPECT_GT(train::planned_bytes(trial, 1, 4, *backend), alone);  // each thread sums leaves of its own
}

TEST(Cost, timesAModelThatIsTooLargeForThisMachineByASmallerOne) {
    study::Trial trial = small_trial();
    const auto backend = kernels::cpu::make_backend(kernels::cpu::InstructionSet::avx2);
    const double small = train::measure_seconds_per_step(trial, *backend, 1);
    EXPECT_GT(small, 0);
    // 1.3e12 parameters: neither memory nor time for a step of it is anywhere near.
    trial.shape = {.width = 16384,
                   .depth = 400,
                   .heads = 128,
                   .mlp_width = 43696,
                   .vocabulary = 131072,
                   .context = 4096};
    trial.batch = 512;
    const double large = train::measure_seconds_per_step(trial, *backend, 1);
    EXPECT_GT(large, 1e6 * small);
    EXPECT_LT(large, 1e15 * small);
}

/// A number of /proc/self/status in bytes: VmRSS is what the process holds, VmHWM the most it has held;
/// VmSize and VmPeak are the same of what it has asked for, touched or not.
std::int64_t memory(const std::string& key) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == key + ":") {
            std::int64_t kilobytes = 0;
            status >> kilobytes;
            return kilobytes * 1024;
        }
    return 0;
}

/// Trains in a process of its own, whose peak is no other test's; it tells how far off the plan it is. `held`
/// and `most` are keys of memory().
void expect_planned_bytes(const study::Trial& trial, const std::string& held, const std::string& most,
                          double tolerance) {
    // A fresh program: the memory that a fork begins with has what other tests freed.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const data::TokenFile tokens = corpus();
    const auto backend = kernels::make_cpu_backend();
    const auto planned = static_cast<double>(train::planned_bytes(trial, 1, 1, *backend));
    EXPECT_EXIT(
        {
            const std::int64_t before = memory(held);
            train::Alone alone;
            train::train(trial, tokens, *backend, alone, {});
            const double share = static_cast<double>(memory(most) - before) / planned;
            std::cerr << "held " << share << " of what was planned";
            std::exit(std::abs(share - 1) < tolerance ? 0 : 1);
        },
        testing::ExitedWithCode(0), "");
}

TEST(PlannedBytes, areThoseOfATrainingProcess) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers keep memory of their own";
#endif
    study::Trial trial = small_trial();
    trial.shape = {.width = 512,
                   .depth = 2,
                   .heads = 8,
                   .mlp_width = 1376,
                   .vocabulary = 2048,
                   .context = 16,
                   .tied_head = false};
    trial.steps = 1;
    trial.evaluation.steps = {1};
    for (const study::Precision precision : study::precisions) {
        SCOPED_TRACE(name(precision));
        trial.precision = precision;
        expect_planned_bytes(trial, "VmRSS", "VmHWM", 0.02);
    }
}

TEST(PlannedBytes, areThoseOfATrainingProcessWhoseBatchGrows) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers keep memory of their own";
#endif
    // Blocks of 16 sequences, then of 32, whose arenas are a quarter and a half of it all: the one goes
    // before the other comes, and not when that is first touched, as a card gives memory where it is asked
    // for. So counts this, and what huge pages' alignment takes.
    study::Trial trial = small_trial();
    trial.shape.width = 128;
    trial.shape.depth = 32;
    trial.shape.mlp_width = 344;
    trial.leaves = 1;
    trial.batch = 16;
    trial.batch_schedule = {{.step = 1, .batch = 32}};
    trial.steps = 2;
    trial.evaluation.steps = {2};
    expect_planned_bytes(trial, "VmSize", "VmPeak", 0.1);
}

}  // namespace
}  // namespace isogrid::tests
