// Every op of the fast backends against the reference, attention apart (test_attention.cpp).
#include <cmath>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

constexpr std::int64_t some_rows[] = {1, 3, 37};
constexpr std::int64_t some_widths[] = {8, 17, 48, 130};

INSTANTIATE_TEST_SUITE_P(Cpu, KernelTest, testing::Values("avx2", "avx512"),
                         [](const auto& info) { return info.param; });

/// A sum of n products in any order is within n u |a|.|b| of the truth, u = epsilon / 2 (Higham 2002,
/// Accuracy and stability of numerical algorithms, eq. 3.5); scaling and adding round a few times more.
std::vector<double> product_tolerances(const Values& sums_of_magnitudes, std::int64_t terms) {
    std::vector<double> tolerances;
    for (const float magnitude : sums_of_magnitudes)
        tolerances.push_back((terms + 4) * epsilon / 2 * (magnitude + 1));
    return tolerances;
}

TEST_P(KernelTest, embeddingScalesRowsOfTheTable) {
    for (const std::int64_t rows : some_rows)
        for (const std::int64_t width : some_widths) {
            const auto ids = random_ids(rows, 11, 1);
            const Values table = random_values(11 * width, 2);
            expect_agreement(
                [&](Device& device) {
                    float* out = device.poisoned(rows * width);
                    device.backend.embedding(device.hold(ids), {device.hold(table), 11, width}, 3.3f,
                                             {out, rows, width});
                    return Outputs{device.read(out, rows * width)};
                },
                std::vector{0.0});  // one rounding, the same everywhere
        }
}

TEST_P(KernelTest, embeddingBackwardAddsRowsInRisingOrder) {
    for (const Write mode : {Write::replace, Write::add})
        for (const std::int64_t width : some_widths) {
            const auto ids = random_ids(37, 5, 1);  // most ids several times
            const Values gradient = random_values(37 * width, 2);
            expect_agreement(
                [&](Device& device) {
                    float* table = device.output(mode, 5 * width);
                    device.backend.embedding_backward(device.hold(ids), {device.hold(gradient), 37, width},
                                                      0.7f, {table, 5, width}, mode);
                    return Outputs{device.read(table, 5 * width)};
                },
                std::vector{0.0});  // the interface fixes the order
        }
}

TEST_P(KernelTest, rmsNormAgrees) {
    for (const std::int64_t rows : some_rows)
        for (const std::int64_t width : some_widths) {
            const Values x = random_values(rows * width, 1), gain = random_values(width, 2);
            // The mean is off by width / 2 epsilon at most, relatively; its root by half of that.
            const double relative = (width / 4.0 + 4) * epsilon;
            expect_agreement(
                [&](Device& device) {
                    float *out = device.poisoned(rows * width), *inverse = device.poisoned(rows);
                    device.backend.rms_norm({device.hold(x), rows, width}, device.hold(gain), 1e-5f,
                                            {out, rows, width}, inverse);
                    return Outputs{device.read(out, rows * width), device.read(inverse, rows)};
                },
                std::vector{4 * relative, 4 * relative});  // |x| / rms stays under 4 here
        }
}

TEST_P(KernelTest, rmsNormBackwardAgrees) {
    for (const Write mode : {Write::replace, Write::add})
        for (const std::int64_t rows : some_rows)
            for (const std::int64_t width : some_widths) {
                const Values gradient = random_values(rows * width, 1), x = random_values(rows * width, 2);
                const Values gain = random_values(width, 3);
                Values inverse(rows);
                for (std::int64_t row = 0; row < rows; ++row)
                    inverse[row] = 1.5f + 0.1f * float(row % 5);
                expect_agreement(
                    [&](Device& device) {
                        float* x_gradient = device.output(mode, rows * width);
                        float* gain_gradient = device.output(mode, width);
                        device.backend.rms_norm_backward({device.hold(gradient), rows, width},
                                                         {device.hold(x), rows, width}, device.hold(gain),
                                                         device.hold(inverse), {x_gradient, rows, width},
                                                         mode, gain_gradient, mode);
                        return Outputs{device.read(x_gradient, rows * width),
                                       device.read(gain_gradient, width)};
                    },
                    // Factors up to inverse_rms^3 < 8 times a mean of terms below 1; sums of `rows` terms
                    // below 2.
                    std::vector{8 * (width / 2.0 + 6) * epsilon, (rows + 4.0) * rows * epsilon});
            }
}

TEST_P(KernelTest, linearAndItsDerivativesAgree) {
    for (const Write mode : {Write::replace, Write::add})
        for (const std::int64_t rows : some_rows)
            for (const std::int64_t inputs : some_widths)
                for (const std::int64_t outputs : some_widths) {
                    const Values x = random_values(rows * inputs, 1),
                                 weights = random_values(outputs * inputs, 2);
                    const Values gradient = random_values(rows * outputs, 3);
                    const auto run = [&](Device& device, bool magnitudes) {
                        const auto held = [&](const Values& values) {
                            return device.hold(magnitudes ? absolute(values) : values);
                        };
                        const Write how = magnitudes ? Write::replace : mode;
                        const ConstMatrix x_held{held(x), rows, inputs},
                            weights_held{held(weights), outputs, inputs},
                            gradient_held{held(gradient), rows, outputs};
                        float* out = device.output(how, rows * outputs);
                        float* x_gradient = device.output(how, rows * inputs);
                        float* weights_gradient = device.output(how, outputs * inputs);
                        device.backend.linear(x_held, weights_held, 1.3f, {out, rows, outputs}, how);
                        device.backend.linear_backward_input(gradient_held, weights_held, 1.3f,
                                                             {x_gradient, rows, inputs}, how);
                        device.backend.linear_backward_weights(gradient_held, x_held, 1.3f,
                                                               {weights_gradient, outputs, inputs}, how);
                        return Outputs{device.read(out, rows * outputs),
                                       device.read(x_gradient, rows * inputs),
                                       device.read(weights_gradient, outputs * inputs)};
                    };
                    Device plain(*reference);
                    const auto magnitudes = run(plain, true);
                    expect_agreement([&](Device& device) { return run(device, false); },
                                     std::vector{product_tolerances(magnitudes[0], inputs),
                                                 product_tolerances(magnitudes[1], outputs),
                                                 product_tolerances(magnitudes[2], rows)});
                }
}

TEST_P(KernelTest, linearOfManyRowsAgrees) {
    const std::int64_t rows = 2048, inputs = 32, outputs = 64;  // as large as a proxy's step
    const Values x = random_values(rows * inputs, 1), gradient = random_values(rows * outputs, 2);
    expect_agreement(
        [&](Device& device) {
            float* weights_gradient = device.poisoned(outputs * inputs);
            device.backend.linear_backward_weights({device.hold(gradient), rows, outputs},
                                                   {device.hold(x), rows, inputs}, 1.0f,
                                                   {weights_gradient, outputs, inputs}, Write::replace);
            return Outputs{device.read(weights_gradient, outputs * inputs)};
        },
        std::vector{rows * epsilon / 2 * rows / 4});  // |a|.|b| is about rows / 4 for even numbers in [-1, 1)
}

TEST_P(KernelTest, rotaryAgreesForwardBackAndInPlace) {
    for (const std::int64_t head_width : {2, 8, 10, 16, 24, 64})
        for (const bool inverse : {false, true})
            for (const bool in_place : {false, true}) {
                const RotaryShape shape{5, 3, head_width};
                const std::int64_t rows = 4 * shape.context, width = shape.heads * head_width;
                const Values x = random_values(rows * width, 1);
                Values cosines, sines;
                for (const float angle : random_values(shape.context * head_width / 2, 2)) {
                    cosines.push_back(std::cos(3 * angle));
                    sines.push_back(std::sin(3 * angle));
                }
                expect_agreement(
                    [&](Device& device) {
                        float* from = device.hold(x);
                        float* out = in_place ? from : device.poisoned(rows * width);
                        device.backend.rotary({from, rows, width}, device.hold(cosines), device.hold(sines),
                                              shape, inverse, {out, rows, width});
                        return Outputs{device.read(out, rows * width)};
                    },
                    std::vector{2 * epsilon});  // two products and a sum, each below 2
            }
}

TEST_P(KernelTest, swigluAgreesAlsoFarFromZero) {
    for (const std::int64_t rows : some_rows)
        for (const std::int64_t width : some_widths) {
            const Values up = random_values(rows * width, 1), gradient = random_values(rows * width, 2);
            Values gate = random_values(rows * width, 3);
            for (float& value : gate)
                value *= 20;
            gate[0] = -200;  // exp(200) is infinite in float32
            gate[1] = 200;
            expect_agreement(
                [&](Device& device) {
                    const ConstMatrix gates{device.hold(gate), rows, width},
                        ups{device.hold(up), rows, width};
                    float* out = device.poisoned(rows * width);
                    float* gate_gradient = device.poisoned(rows * width);
                    float* up_gradient = device.poisoned(rows * width);
                    device.backend.swiglu(gates, ups, {out, rows, width});
                    device.backend.swiglu_backward({device.hold(gradient), rows, width}, gates, ups,
                                                   {gate_gradient, rows, width}, {up_gradient, rows, width});
                    return Outputs{device.read(out, rows * width), device.read(gate_gradient, rows * width),
                                   device.read(up_gradient, rows * width)};
                },
                // The logistic function is within 4 epsilon; everything is below 200 times that.
                std::vector{200 * 6 * epsilon, 200 * 6 * epsilon, 200 * 6 * epsilon});
        }
}

TEST_P(KernelTest, addAndAccumulateAgree) {
    for (const std::int64_t size : {1, 16, 37, 130}) {
        const Values a = random_values(size, 1), b = random_values(size, 2);
        expect_agreement(
            [&](Device& device) {
                float *left = device.hold(a), *right = device.hold(b), *out = device.poisoned(size);
                device.backend.add({left, 1, size}, {right, 1, size}, {out, 1, size});
                device.backend.add({left, 1, size}, {right, 1, size}, {left, 1, size});
                device.backend.accumulate({right, std::size_t(size)}, {out, std::size_t(size)});
                return Outputs{device.read(out, size), device.read(left, size), device.read(right, size)};
            },
            std::vector{0.0, 0.0, 0.0});
    }
}

TEST_P(KernelTest, crossEntropyAgreesAlsoInPlace) {
    for (const std::int64_t rows : some_rows)
        for (const std::int64_t vocabulary : {8, 17, 130, 256}) {
            const auto targets = random_ids(rows, TokenId(vocabulary), 1);
            Values logits = random_values(rows * vocabulary, 2);
            for (float& value : logits)
                value *= 30;
            logits[0] = 1000;  // its exp is infinite in float32
            expect_agreement(
                [&](Device& device) {
                    const auto ids = device.hold(targets);
                    float *losses = device.poisoned(rows), *log_sum = device.poisoned(rows);
                    float* values = device.hold(logits);
                    device.backend.cross_entropy({values, rows, vocabulary}, ids, losses, log_sum);
                    float* gradient = device.poisoned(rows * vocabulary);
                    device.backend.cross_entropy_backward({values, rows, vocabulary}, ids, log_sum, 0.5f,
                                                          {gradient, rows, vocabulary});
                    device.backend.cross_entropy_backward({values, rows, vocabulary}, ids, log_sum, 0.5f,
                                                          {values, rows, vocabulary});
                    return Outputs{device.read(losses, rows), device.read(log_sum, rows),
                                   device.read(gradient, rows * vocabulary),
                                   device.read(values, rows * vocabulary)};
                },
                // log_sum is near 1000 or 30 and rounded once; a probability is exp(logit - log_sum), so its
                // relative error is that rounding, 32 epsilon, and that of the sum, vocabulary epsilon / 2.
                std::vector{1000 * epsilon, 1000 * epsilon, (64 + vocabulary / 2.0) * epsilon,
                            (64 + vocabulary / 2.0) * epsilon});
        }
}

TEST_P(KernelTest, sumsAreThoseOfDoublePrecision) {
    for (const std::size_t size : {0, 1, 16, 37, 4099}) {
        const Values values = random_values(std::int64_t(size), 1);
        const double tolerance = double(size) * double(size) * 1.2e-16;
        EXPECT_NEAR(fast->sum(values), reference->sum(values), tolerance);
        EXPECT_NEAR(fast->sum_of_squares(values), reference->sum_of_squares(values), tolerance);
        const Values copy(values);
        EXPECT_EQ(fast->sum(values), fast->sum(copy));
        EXPECT_EQ(fast->sum_of_squares(values), fast->sum_of_squares(copy));
    }
}

TEST_P(KernelTest, adamwAgreesOverSeveralSteps) {
    for (const std::int64_t size : {1, 16, 37, 130}) {
        const Values start = random_values(size, 1);
        expect_agreement(
            [&](Device& device) {
                const std::size_t count = size;
                float *weights = device.hold(start), *first = device.hold(Values(size, 0)),
                      *second = device.hold(Values(size, 0));
                for (int step = 1; step <= 5; ++step)
                    device.backend.adamw({step, 0.1f, 0.9f, 0.95f, 1e-8f, 0.01f, 0.5f},
                                         {device.hold(random_values(size, 100 + step)), count},
                                         {weights, count}, {first, count}, {second, count});
                return Outputs{device.read(weights, size), device.read(first, size),
                               device.read(second, size)};
            },
            // Five steps, each moving a weight of about 1 by 0.1 with about ten roundings.
            std::vector{5 * 4 * epsilon, 10 * epsilon, 10 * epsilon});
    }
}

}  // namespace

}  // namespace isogrid::kernels::test
