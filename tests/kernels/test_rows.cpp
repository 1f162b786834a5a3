// Ops that go over rows one by one, against the reference: embedding, norms, SwiGLU, sums, losses.
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <span>

#include "kernels/bfloat16.hpp"
#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

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

TEST_P(KernelTest, embeddingBackwardAddsManyRowsOfFewTokens) {
    // More rows than the cuda backend sums in one piece; the last token has none.
    const std::int64_t rows = 1100, width = 150;
    std::vector<TokenId> ids = random_ids(rows, 8, 1);
    for (std::size_t i = 0; i < ids.size(); i += 2)
        ids[i] = 3;
    const Values gradient = random_values(rows * width, 2);
    for (const Write mode : {Write::replace, Write::add})
        expect_agreement(
            [&](Device& device) {
                float* table = device.output(mode, 9 * width);
                device.backend.embedding_backward(device.hold(ids), {device.hold(gradient), rows, width},
                                                  0.7f, {table, 9, width}, mode);
                return Outputs{device.read(table, 9 * width)};
            },
            std::vector{rows * epsilon / 2 * rows * 0.7});
}

TEST_P(KernelTest, rmsNormAgrees) {
    for (const Element element : elements)
        for (const std::int64_t rows : some_rows)
            for (const std::int64_t width : widths_of(element)) {
                const Values x = random_values(rows * width, 1), gain = random_values(width, 2);
                // The mean is off by width / 2 epsilon at most, relatively; its root by half of that.
                const double relative = (width / 4.0 + 4) * epsilon;
                expect_agreement(
                    [&](Device& device) {
                        const Activations out = device.poisoned(rows, width, element);
                        float* inverse = device.poisoned(rows);
                        device.backend.rms_norm({device.hold(x), rows, width}, device.hold(gain), 1e-5f, out,
                                                inverse);
                        return Outputs{device.read(out), device.read(inverse, rows)};
                    },
                    // |x| / rms stays under 4 here
                    std::vector{4 * relative, 4 * relative}, {unit_of(element), 0});
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
                        const Activations rounded = device.poisoned(rows, width, Element::bfloat16);
                        device.backend.rms_norm_backward({device.hold(gradient), rows, width},
                                                         {device.hold(x), rows, width}, device.hold(gain),
                                                         device.hold(inverse), {x_gradient, rows, width},
                                                         mode, gain_gradient, mode, rounded);
                        const Activations again = device.poisoned(rows, width, Element::bfloat16);
                        device.backend.round({x_gradient, rows, width}, again);
                        EXPECT_EQ(bits(device.read(rounded)), bits(device.read(again)));
                        return Outputs{device.read(x_gradient, rows * width),
                                       device.read(gain_gradient, width)};
                    },
                    // Factors up to inverse_rms^3 < 8 times a mean of terms below 1; sums of `rows` terms
                    // below 2.
                    std::vector{8 * (width / 2.0 + 6) * epsilon, (rows + 4.0) * rows * epsilon});
            }
}

TEST_P(KernelTest, swigluAgreesAlsoFarFromZero) {
    for (const Element element : elements)
        for (const std::int64_t rows : some_rows)
            for (const std::int64_t hidden : widths_of(element)) {
                const Values gradient = exact(random_values(rows * hidden, 2), element);
                Values gate_up = random_values(rows * 2 * hidden, 3);
                for (std::int64_t row = 0; row < rows; ++row)
                    for (std::int64_t i = 0; i < hidden; ++i)
                        gate_up[row * 2 * hidden + i] *= 20;
                gate_up[0] = -200;  // exp(200) is infinite in float32
                gate_up[1] = 200;
                gate_up = exact(gate_up, element);
                // The logistic function is within 4 epsilon; everything is below 200 times that. (Taken for
                // each number apart, the slope's error is one of 1 + |x| beside it: its two terms cancel.)
                expect_agreement(
                    [&](Device& device) {
                        const ConstActivations held = device.hold(gate_up, rows, 2 * hidden, element);
                        const Activations out = device.poisoned(rows, hidden, element);
                        const Activations gate_up_gradient = device.poisoned(rows, 2 * hidden, element);
                        device.backend.swiglu(held, out);
                        device.backend.swiglu_backward(device.hold(gradient, rows, hidden, element), held,
                                                       gate_up_gradient);
                        return Outputs{device.read(out), device.read(gate_up_gradient)};
                    },
                    std::vector{200 * 6 * epsilon, 200 * 6 * epsilon}, {unit_of(element), unit_of(element)});
            }
}

TEST_P(KernelTest, roundsAnyBitsToTheNearestEvenBfloat16) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    Values values{0.0f,
                  1.0f,
                  1.00390625f,    // half way between two, the even one below
                  1.01171875f,    // half way, the even one above
                  0x1.00fffep0f,  // just below half way, just above
                  0x1.010002p0f,
                  0x1.fep127f,      // the largest bfloat16
                  0x1.fefffep127f,  // just below half way to infinity
                  0x1.ffp127f,      // half way: infinity is the even one
                  0x1.fffffep127f,  // the largest float32
                  0x1p-126f,        // the smallest normal numbers
                  0x1.00fffep-126f,
                  0x1.01p-126f,
                  0x1.fffffcp-127f,  // too small for the processors' own rounding: zero
                  0x1p-127f,
                  0x1p-149f,
                  infinity,
                  std::bit_cast<float>(0x7fc00000u),  // not-a-numbers: quiet, signaling, with all bits
                  std::bit_cast<float>(0x7f800001u),
                  std::bit_cast<float>(0x7fbfffffu),
                  std::bit_cast<float>(0x7fffffffu)};
    for (std::size_t i = 0, count = values.size(); i < count; ++i)
        values.push_back(-values[i]);
    std::mt19937 generator(5);
    for (int i = 0; i < 4000; ++i)
        values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(generator())));
    for (int i = 0; i < 1000; ++i)  // ties and their neighbours
        values.push_back(
            std::bit_cast<float>(static_cast<std::uint32_t>(generator() << 16 | (0x7fff + generator() % 3))));
    for (const std::int64_t columns : {1, 17, 48, 1001}) {
        const std::int64_t rows = std::int64_t(values.size()) / columns;
        Device device(*fast);
        const Activations out = device.poisoned(rows, columns, Element::bfloat16);
        fast->round({device.hold(values), rows, columns}, out);
        const Values found = device.read(out);
        Values wanted;
        for (std::int64_t i = 0; i < rows * columns; ++i) {
            wanted.push_back(widened(rounded(values[i])));
            // Which not-a-number it is differs: a card has one for all.
            if (std::isnan(wanted[i]) && std::isnan(found[i])) wanted[i] = found[i];
        }
        EXPECT_EQ(bits(found), bits(wanted)) << columns << " columns";
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
    for (const Element element : elements)
        for (const std::int64_t rows : some_rows)
            for (const std::int64_t vocabulary : {8, 17, 130, 256, 2051, 8200}) {
                if (vocabulary > 1000 && rows > some_rows[0]) continue;  // emulated cards are slow
                const auto targets = random_ids(rows, TokenId(vocabulary), 1);
                Values logits = random_values(rows * vocabulary, 2);
                for (float& value : logits)
                    value *= 60;
                logits[0] = 2000;  // half of it has an exponential that is infinite in float32
                // A probability is exp(z - largest) / sum, z below 1000 or 30 and rounded once: its relative
                // error is that rounding, 32 epsilon, and that of the sum, vocabulary epsilon / 2.
                const double share = (64 + vocabulary / 2.0) * epsilon;
                expect_agreement(
                    [&](Device& device) {
                        const auto ids = device.hold(targets);
                        float *losses = device.poisoned(rows), *again = device.poisoned(rows);
                        const auto held = [&] {
                            return MutableMatrix{device.hold(logits), rows, vocabulary};
                        };
                        device.backend.cross_entropy(held(), ids, 0.5f, losses);
                        const Activations gradient = device.poisoned(rows, vocabulary, element);
                        device.backend.cross_entropy_gradient(held(), ids, 0.5f, 0.25f, again, gradient);
                        EXPECT_EQ(bits(device.read(losses, rows)), bits(device.read(again, rows)));
                        if (element == Element::float32) {
                            const MutableMatrix shared = held();
                            device.backend.cross_entropy_gradient(shared, ids, 0.5f, 0.25f,
                                                                  device.poisoned(rows), shared);
                            EXPECT_EQ(bits(device.read(gradient)), bits(device.read(Activations(shared))));
                        }
                        return Outputs{device.read(losses, rows), device.read(gradient)};
                    },
                    std::vector{1000 * epsilon, 0.125 * share}, {0, unit_of(element)});
            }
}

TEST_P(KernelTest, sumsAreThoseOfDoublePrecision) {
    for (const std::size_t size : {0, 1, 16, 37, 4099}) {
        const Values values = random_values(std::int64_t(size), 1);
        const double tolerance = double(size) * double(size) * 1.2e-16;
        Device device(*fast);
        const std::span<const float> here(device.hold(values), size), elsewhere(device.hold(values), size);
        EXPECT_NEAR(fast->sum(here), reference->sum(values), tolerance);
        EXPECT_NEAR(fast->sum_of_squares(here), reference->sum_of_squares(values), tolerance);
        EXPECT_EQ(fast->sum(here), fast->sum(elsewhere));
        EXPECT_EQ(fast->sum_of_squares(here), fast->sum_of_squares(elsewhere));
    }
}

}  // namespace

}  // namespace isogrid::kernels::test
