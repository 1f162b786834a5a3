// Answers known on paper, asked of every host backend.
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <stdexcept>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

/// "reference", "avx2" or "avx512".
class ClosedFormTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        const bool plain = GetParam() == "reference";
        if (!plain && !runs_here(GetParam())) GTEST_SKIP() << "this processor does not run " << GetParam();
        backend = plain ? make_reference_backend() : make_fast_backend(GetParam());
    }

    std::unique_ptr<Backend> backend;
};

INSTANTIATE_TEST_SUITE_P(Host, ClosedFormTest, testing::Values("reference", "avx2", "avx512"),
                         [](const auto& info) { return info.param; });

TEST_P(ClosedFormTest, uniformLogitsCostTheLogOfTheVocabulary) {
    for (const std::int64_t vocabulary : {7, 256, 1000}) {
        const Values logits(2 * vocabulary, 3.5f);
        const std::vector<TokenId> targets{0, TokenId(vocabulary - 1)};
        Values losses(2), log_sum(2), gradient(2 * vocabulary);
        backend->cross_entropy({logits.data(), 2, vocabulary}, targets, losses.data(), log_sum.data());
        backend->cross_entropy_backward({logits.data(), 2, vocabulary}, targets, log_sum.data(), 1.0f,
                                        {gradient.data(), 2, vocabulary});
        for (const float loss : losses)
            EXPECT_NEAR(loss, std::log(double(vocabulary)), 8 * epsilon);
        // log_sum is near 10, so a probability is off by 10 epsilon of itself.
        EXPECT_NEAR(gradient[1], 1.0 / double(vocabulary), 16 * epsilon / double(vocabulary));
        EXPECT_NEAR(gradient[0], 1.0 / double(vocabulary) - 1, 2 * epsilon);
    }
}

TEST_P(ClosedFormTest, certainPredictionCostsNothing) {
    Values logits(20, -100.0f), losses(1), log_sum(1);
    logits[13] = 100;
    backend->cross_entropy({logits.data(), 1, 20}, std::vector<TokenId>{13}, losses.data(), log_sum.data());
    EXPECT_EQ(losses[0], 0.0f);
    EXPECT_EQ(log_sum[0], 100.0f);
}

TEST_P(ClosedFormTest, notANumberIsNotHidden) {
    Values logits(40, 1.0f), losses(1), log_sum(1), out(40), inverse(1);
    for (const int place : {0, 17, 39}) {
        Values poisoned = logits;
        poisoned[place] = std::numeric_limits<float>::quiet_NaN();
        backend->cross_entropy({poisoned.data(), 1, 40}, std::vector<TokenId>{1}, losses.data(),
                               log_sum.data());
        EXPECT_TRUE(std::isnan(losses[0]));
        backend->rms_norm({poisoned.data(), 1, 40}, logits.data(), 1e-5f, {out.data(), 1, 40},
                          inverse.data());
        EXPECT_TRUE(std::isnan(out[5]));
        EXPECT_TRUE(std::isnan(backend->sum_of_squares(poisoned)));
        backend->swiglu({poisoned.data(), 1, 40}, {logits.data(), 1, 40}, {out.data(), 1, 40});
        EXPECT_TRUE(std::isnan(out[place]));
    }
}

TEST_P(ClosedFormTest, firstStepOfAdamWIsTheSignOfTheGradient) {
    // At step 1 the corrected moments are g and g^2, so the move is learning_rate * g / (|g| + epsilon).
    Values gradient = random_values(37, 1), first(37, 0.0f), second(37, 0.0f);
    const Values start = random_values(37, 2);
    Values weights = start;
    const AdamWStep step{1, 0.01f, 0.9f, 0.999f, 1e-3f, 0.1f, 0.5f};
    backend->adamw(step, gradient, weights, first, second);
    for (int i = 0; i < 37; ++i) {
        const double slope = 0.5 * gradient[i];
        const double wanted = start[i] * (1 - double(step.decay)) -
                              double(step.learning_rate) * slope / (std::abs(slope) + double(step.epsilon));
        // The moments lose digits as 1 - beta does: epsilon / (1 - 0.999), of a move of 0.01.
        EXPECT_NEAR(weights[i], wanted, 2 * epsilon + 0.01 * 1000 * epsilon);
        EXPECT_NEAR(first[i], 0.1 * slope, 2 * epsilon);
        EXPECT_NEAR(second[i], 0.001 * slope * slope, 2 * epsilon * 0.001 + 0.001 * epsilon * 1000);
    }
}

TEST_P(ClosedFormTest, rmsNormOfAConstantRowIsTheGain) {
    const Values x(24, -4.0f), gain = random_values(24, 1);
    Values out(24), inverse(1);
    backend->rms_norm({x.data(), 1, 24}, gain.data(), 0.0f, {out.data(), 1, 24}, inverse.data());
    EXPECT_EQ(inverse[0], 0.25f);
    for (int i = 0; i < 24; ++i)
        EXPECT_EQ(out[i], -gain[i]);
}

TEST_P(ClosedFormTest, exponentialsAreWithinTwoUnitsInTheLastPlace) {
    // Where log_sum is 0, the derivative of cross entropy is exp(logit), but for the target's column.
    Values logits, out(2001), log_sum(1, 0.0f);
    for (int i = 0; i < 2000; ++i)
        logits.push_back(-87.0f + float(i) * 0.0875f);
    logits.push_back(-1e30f);
    backend->cross_entropy_backward({logits.data(), 1, 2001}, std::vector<TokenId>{2000}, log_sum.data(),
                                    1.0f, {out.data(), 1, 2001});
    EXPECT_EQ(out[2000], -1.0f);  // exp(-1e30) - 1
    for (int i = 0; i < 2000; ++i) {
        const double wanted = std::exp(double(logits[i]));
        EXPECT_NEAR(out[i], wanted, 2 * epsilon * wanted) << "logit " << logits[i];
    }
}

TEST_P(ClosedFormTest, emptyInputsAreFine) {
    Values nothing;
    backend->accumulate(nothing, nothing);
    EXPECT_EQ(backend->sum(nothing), 0.0);
    EXPECT_EQ(backend->sum_of_squares(nothing), 0.0);
    backend->fill_zero(nullptr, 0);
}

TEST(CpuBackend, bothInstructionSetsGiveTheSameBitsOutsideMatrixProducts) {
    if (!runs_here("avx512")) GTEST_SKIP() << "this processor does not run avx512";
    const AttentionShape shape{2, 33, 3, 24, 0.2f};
    const std::int64_t rows = 66, width = 72;
    const auto run = [&](const std::string& name) {
        const auto backend = make_fast_backend(name);
        Device device(*backend);
        const auto held = [&](std::uint32_t seed) {
            return ConstMatrix{device.hold(random_values(rows * width, seed)), rows, width};
        };
        std::vector<MutableMatrix> results;
        const auto written = [&] {
            results.push_back({device.poisoned(rows * width), rows, width});
            return results.back();
        };
        const ConstMatrix a = held(1), b = held(2), c = held(3), d = held(4);
        const auto ids = device.hold(random_ids(rows, TokenId(width), 5));
        float *each_row = device.poisoned(rows), *log_sum = device.poisoned(rows * shape.heads);
        float* workspace = device.poisoned(backend->attention_workspace(shape));

        const MutableMatrix mixed = written();
        backend->attention(a, b, c, shape, mixed, log_sum, workspace);
        const MutableMatrix dq = written(), dk = written(), dv = written();
        backend->attention_backward(d, a, b, c, mixed, log_sum, shape, dq, dk, dv, workspace);
        backend->rms_norm(a, b.data, 1e-5f, written(), each_row);
        const MutableMatrix x_gradient = written(), gain_gradient = written();
        backend->fill_zero(gain_gradient.data, gain_gradient.size() * sizeof(float));
        backend->rms_norm_backward(a, b, c.data, each_row, x_gradient, Write::replace, gain_gradient.data,
                                   Write::replace);
        backend->swiglu(a, b, written());
        const MutableMatrix gate_gradient = written(), up_gradient = written();
        backend->swiglu_backward(c, a, b, gate_gradient, up_gradient);
        const MutableMatrix losses = written();
        backend->fill_zero(losses.data, losses.size() * sizeof(float));
        backend->cross_entropy(a, ids, losses.data, each_row);
        backend->cross_entropy_backward(a, ids, each_row, 0.3f, written());
        backend->rotary(a, b.data, c.data, {33, 3, 24}, true, written());

        Outputs values;
        for (const MutableMatrix& result : results)
            values.push_back(device.read(result.data, rows * width));
        values.push_back({float(backend->sum(values[0])), float(backend->sum_of_squares(values[0]))});
        return values;
    };
    const Outputs narrow = run("avx2"), wide = run("avx512");
    for (std::size_t i = 0; i < narrow.size(); ++i)
        EXPECT_EQ(narrow[i], wide[i]) << "result " << i;
}

TEST(CpuBackend, staysOnTheCallingThread) {
    const auto threads = [] {
        const std::filesystem::directory_iterator tasks("/proc/self/task");
        return std::distance(begin(tasks), end(tasks));
    };
    const auto before = threads();
    const auto backend = make_cpu_backend();
    const Values x(2048 * 256, 1.0f), weights(256 * 256, 1.0f);
    Values out(2048 * 256);
    backend->linear({x.data(), 2048, 256}, {weights.data(), 256, 256}, 1, {out.data(), 2048, 256},
                    Write::replace);
    EXPECT_EQ(threads(), before);
    EXPECT_EQ(out[0], 256.0f);
}

TEST(CpuBackend, namesWhatItRunsOn) {
    const auto backend = make_cpu_backend();
    EXPECT_EQ(backend->name(), "cpu");
    EXPECT_THAT(backend->instruction_set(), testing::MatchesRegex("avx(2|512|512_bf16) \\(oneDNN .+\\)"));
}

TEST(CudaBackend, saysThatThisBuildHasNone) {
    try {
        make_cuda_backend(0);
        GTEST_SKIP() << "built with CUDA";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("not built with CUDA"));
    }
}

TEST(HostMemory, isAligned) {
    const auto backend = make_cpu_backend();
    for (const std::size_t bytes : {1, 64, 1000}) {
        const Storage storage = backend->allocate(bytes);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(storage.get()) % 64, 0u);
    }
}

}  // namespace

}  // namespace isogrid::kernels::test
