// Answers known on paper, asked of every host backend.
#include <cmath>
#include <limits>
#include <stdexcept>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

/// The reference, or the fast backend of an instruction set.
class ClosedFormTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        const bool plain = GetParam() == "reference";
        if (!plain && !runs_here(GetParam())) GTEST_SKIP() << "this processor does not run " << GetParam();
        backend = plain ? make_reference_backend() : make_fast_backend(GetParam());
    }

    std::unique_ptr<Backend> backend;
};

std::vector<std::string> every_backend() {
    std::vector<std::string> names = instruction_set_names();
    names.insert(names.begin(), "reference");
    return names;
}

INSTANTIATE_TEST_SUITE_P(Host, ClosedFormTest, testing::ValuesIn(every_backend()),
                         [](const auto& info) { return info.param; });

TEST_P(ClosedFormTest, uniformLogitsCostTheLogOfTheVocabulary) {
    for (const std::int64_t vocabulary : {7, 256, 1000}) {
        Values logits(2 * vocabulary, 3.5f);
        const std::vector<TokenId> targets{0, TokenId(vocabulary - 1)};
        Values losses(2), gradient(2 * vocabulary);
        backend->cross_entropy({logits.data(), 2, vocabulary}, targets, 2.0f, losses.data());
        for (const float loss : losses)
            EXPECT_NEAR(loss, std::log(double(vocabulary)), 8 * epsilon);
        backend->cross_entropy_gradient({logits.data(), 2, vocabulary}, targets, 2.0f, 0.5f, losses.data(),
                                        MutableMatrix{gradient.data(), 2, vocabulary});
        for (const float loss : losses)
            EXPECT_NEAR(loss, std::log(double(vocabulary)), 8 * epsilon);
        EXPECT_NEAR(gradient[1], 1.0 / double(vocabulary), 16 * epsilon / double(vocabulary));
        EXPECT_NEAR(gradient[0], 1.0 / double(vocabulary) - 1, 2 * epsilon);
    }
}

TEST_P(ClosedFormTest, certainPredictionCostsNothing) {
    Values logits(20, -100.0f), losses(1);
    logits[13] = 100;
    backend->cross_entropy({logits.data(), 1, 20}, std::vector<TokenId>{13}, 1.0f, losses.data());
    EXPECT_EQ(losses[0], 0.0f);
}

TEST_P(ClosedFormTest, notANumberIsNotHidden) {
    Values logits(40, 1.0f), losses(1), out(40), inverse(1);
    for (const int place : {0, 17, 39}) {
        Values poisoned = logits;
        poisoned[place] = std::numeric_limits<float>::quiet_NaN();
        backend->cross_entropy({poisoned.data(), 1, 40}, std::vector<TokenId>{1}, 1.0f, losses.data());
        EXPECT_TRUE(std::isnan(losses[0]));
        backend->rms_norm({poisoned.data(), 1, 40}, logits.data(), 1e-5f, MutableMatrix{out.data(), 1, 40},
                          inverse.data());
        EXPECT_TRUE(std::isnan(out[5]));
        EXPECT_TRUE(std::isnan(backend->sum_of_squares(poisoned)));
        backend->swiglu(ConstMatrix{poisoned.data(), 1, 40}, MutableMatrix{out.data(), 1, 20});
        EXPECT_TRUE(std::isnan(out[place % 20]));
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
    backend->rms_norm({x.data(), 1, 24}, gain.data(), 0.0f, MutableMatrix{out.data(), 1, 24}, inverse.data());
    EXPECT_EQ(inverse[0], 0.25f);
    for (int i = 0; i < 24; ++i)
        EXPECT_EQ(out[i], -gain[i]);
}

TEST_P(ClosedFormTest, exponentialsAreWithinTwoUnitsInTheLastPlace) {
    // Of two logits 0 and -z the second has the probability p = exp(-z) / (1 + exp(-z)), and so its gradient
    // is that, in which exp(-z) is off by two units and the division by one more.
    for (int i = 0; i < 2000; ++i) {
        const float z = float(i) * 0.0435f;  // to 87, where exp(-z) is the smallest normal number
        Values logits{0.0f, -z}, losses(1), gradient(2);
        backend->cross_entropy_gradient({logits.data(), 1, 2}, std::vector<TokenId>{0}, 1.0f, 1.0f,
                                        losses.data(), MutableMatrix{gradient.data(), 1, 2});
        const double wanted = std::exp(-double(z)) / (1 + std::exp(-double(z)));
        EXPECT_NEAR(gradient[1], wanted, 3 * epsilon * wanted) << "z " << z;
    }
}

TEST_P(ClosedFormTest, emptyInputsAreFine) {
    Values nothing;
    backend->accumulate(nothing, nothing);
    EXPECT_EQ(backend->sum(nothing), 0.0);
    EXPECT_EQ(backend->sum_of_squares(nothing), 0.0);
    backend->fill_zero(nullptr, 0);
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
    for (const std::size_t bytes : {1, 64, 1000, 5 << 20}) {
        const Storage storage = backend->allocate(bytes);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(storage.get()) % 64, 0u);
    }
}

}  // namespace

}  // namespace isogrid::kernels::test
