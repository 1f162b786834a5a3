// Answers known on paper, asked of every backend.
#include <cmath>
#include <limits>
#include <string>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

/// The reference, or a fast backend.
class ClosedFormTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        const bool plain = GetParam() == "reference";
        if (const std::string why = plain ? "" : why_not_here(GetParam()); !why.empty()) GTEST_SKIP() << why;
        backend = plain ? make_reference_backend() : make_fast_backend(GetParam());
    }

    std::unique_ptr<Backend> backend;
};

std::vector<std::string> every_backend() {
    std::vector<std::string> names = fast_backend_names();
    names.insert(names.begin(), "reference");
    return names;
}

INSTANTIATE_TEST_SUITE_P(Every, ClosedFormTest, testing::ValuesIn(every_backend()),
                         [](const auto& info) { return info.param; });

TEST_P(ClosedFormTest, uniformLogitsCostTheLogOfTheVocabulary) {
    for (const std::int64_t vocabulary : {7, 256, 1000}) {
        Device device(*backend);
        float *logits = device.hold(Values(2 * vocabulary, 3.5f)), *losses = device.poisoned(2),
              *gradient = device.poisoned(2 * vocabulary);
        const auto targets = device.hold(std::vector<TokenId>{0, TokenId(vocabulary - 1)});
        backend->cross_entropy({logits, 2, vocabulary}, targets, 2.0f, losses);
        for (const float loss : device.read(losses, 2))
            EXPECT_NEAR(loss, std::log(double(vocabulary)), 8 * epsilon);
        backend->cross_entropy_gradient({logits, 2, vocabulary}, targets, 2.0f, 0.5f, losses,
                                        MutableMatrix{gradient, 2, vocabulary});
        for (const float loss : device.read(losses, 2))
            EXPECT_NEAR(loss, std::log(double(vocabulary)), 8 * epsilon);
        const Values slopes = device.read(gradient, 2);
        EXPECT_NEAR(slopes[1], 1.0 / double(vocabulary), 16 * epsilon / double(vocabulary));
        EXPECT_NEAR(slopes[0], 1.0 / double(vocabulary) - 1, 2 * epsilon);
    }
}

TEST_P(ClosedFormTest, certainPredictionCostsNothing) {
    Values logits(20, -100.0f);
    logits[13] = 100;
    Device device(*backend);
    float* losses = device.poisoned(1);
    backend->cross_entropy({device.hold(logits), 1, 20}, device.hold(std::vector<TokenId>{13}), 1.0f, losses);
    EXPECT_EQ(device.read(losses, 1)[0], 0.0f);
}

TEST_P(ClosedFormTest, notANumberIsNotHidden) {
    const Values logits(40, 1.0f);
    for (const int place : {0, 17, 39}) {
        Values with_one = logits;
        with_one[place] = std::numeric_limits<float>::quiet_NaN();
        Device device(*backend);
        float *values = device.hold(with_one), *losses = device.hold(Values(1)),
              *out = device.hold(Values(40)), *inverse = device.hold(Values(1));
        backend->cross_entropy({values, 1, 40}, device.hold(std::vector<TokenId>{1}), 1.0f, losses);
        EXPECT_TRUE(std::isnan(device.read(losses, 1)[0]));
        backend->rms_norm({values, 1, 40}, device.hold(logits), 1e-5f, MutableMatrix{out, 1, 40}, inverse);
        EXPECT_TRUE(std::isnan(device.read(out, 40)[5]));
        EXPECT_TRUE(std::isnan(backend->sum_of_squares({values, 40})));
        backend->swiglu(ConstMatrix{values, 1, 40}, MutableMatrix{out, 1, 20});
        EXPECT_TRUE(std::isnan(device.read(out, 20)[place % 20]));
    }
}

TEST_P(ClosedFormTest, firstStepOfAdamWIsTheSignOfTheGradient) {
    // At step 1 the corrected moments are g and g^2, so the move is learning_rate * g / (|g| + epsilon).
    const Values gradient = random_values(37, 1), start = random_values(37, 2);
    Device device(*backend);
    float *weights = device.hold(start), *first = device.hold(Values(37)), *second = device.hold(Values(37));
    const AdamWStep step{1, 0.01f, 0.9f, 0.999f, 1e-3f, 0.1f};
    adamw(device, step, 0.5f, device.hold(gradient), weights, first, second, 37);
    const Values moved = device.read(weights, 37), mean = device.read(first, 37),
                 square = device.read(second, 37);
    for (int i = 0; i < 37; ++i) {
        const double slope = 0.5 * gradient[i];
        const double wanted = start[i] * (1 - double(step.decay)) -
                              double(step.learning_rate) * slope / (std::abs(slope) + double(step.epsilon));
        // The moments lose digits as 1 - beta does: epsilon / (1 - 0.999), of a move of 0.01.
        EXPECT_NEAR(moved[i], wanted, 2 * epsilon + 0.01 * 1000 * epsilon);
        EXPECT_NEAR(mean[i], 0.1 * slope, 2 * epsilon);
        EXPECT_NEAR(square[i], 0.001 * slope * slope, 2 * epsilon * 0.001 + 0.001 * epsilon * 1000);
    }
}

TEST_P(ClosedFormTest, rmsNormOfAConstantRowIsTheGain) {
    const Values gain = random_values(24, 1);
    Device device(*backend);
    float *out = device.poisoned(24), *inverse = device.poisoned(1);
    backend->rms_norm({device.hold(Values(24, -4.0f)), 1, 24}, device.hold(gain), 0.0f,
                      MutableMatrix{out, 1, 24}, inverse);
    EXPECT_EQ(device.read(inverse, 1)[0], 0.25f);
    const Values result = device.read(out, 24);
    for (int i = 0; i < 24; ++i)
        EXPECT_EQ(result[i], -gain[i]);
}

TEST_P(ClosedFormTest, exponentialsAreWithinTwoUnitsInTheLastPlace) {
    // Of two logits 0 and -z the second has the probability p = exp(-z) / (1 + exp(-z)), and so its gradient
    // is that, in which exp(-z) is off by two units and the division by one more.
    const auto z = [](int i) { return float(i) * 0.0435f; };  // to 87, where exp(-z) is the smallest normal
    const std::int64_t rows = 2000;
    Values logits(2 * rows);
    for (int i = 0; i < rows; ++i)
        logits[2 * i + 1] = -z(i);
    Device device(*backend);
    float* gradient = device.poisoned(2 * rows);
    backend->cross_entropy_gradient({device.hold(logits), rows, 2},
                                    device.hold(std::vector<TokenId>(rows, 0)), 1.0f, 1.0f,
                                    device.poisoned(rows), MutableMatrix{gradient, rows, 2});
    const Values slopes = device.read(gradient, 2 * rows);
    for (int i = 0; i < rows; ++i) {
        const double wanted = std::exp(-double(z(i))) / (1 + std::exp(-double(z(i))));
        EXPECT_NEAR(slopes[2 * i + 1], wanted, 3 * epsilon * wanted) << "z " << z(i);
    }
}

TEST_P(ClosedFormTest, emptyInputsAreFine) {
    backend->accumulate(std::span<float>(), std::span<const float>());
    backend->accumulate(std::span<double>(), std::span<const double>());
    EXPECT_EQ(backend->sum({}), 0.0);
    EXPECT_EQ(backend->sum_of_squares({}), 0.0);
    backend->fill_zero(nullptr, 0);
}

TEST(HostMemory, isAligned) {
    const auto backend = make_reference_backend();
    for (const std::size_t bytes : {1, 64, 1000, 5 << 20}) {
        const Storage storage = backend->allocate(bytes);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(storage.get()) % 64, 0u);
    }
}

}  // namespace

}  // namespace isogrid::kernels::test
