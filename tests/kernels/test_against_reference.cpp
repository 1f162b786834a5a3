// Every op of the fast backends against the reference, attention apart (test_attention.cpp).
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/bfloat16.hpp"
#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

constexpr std::int64_t some_rows[] = {1, 3, 37};
constexpr std::int64_t some_widths[] = {8, 17, 48, 130};

/// Widths of activations are even in bfloat16.
std::vector<std::int64_t> widths_of(Element element) {
    if (element == Element::bfloat16) return {8, 18, 48, 130};
    return {8, 17, 48, 130};
}

INSTANTIATE_TEST_SUITE_P(Cpu, KernelTest, testing::ValuesIn(instruction_set_names()),
                         [](const auto& info) { return info.param; });

/// A sum of n products in any order is within n u |a|.|b| of the truth, u = epsilon / 2 (Higham 2002,
/// Accuracy and stability of numerical algorithms, eq. 3.5); scaling and adding round a few times more.
/// Products of two bfloat16 are exact in float32, so that only what is written in bfloat16 is off by more.
std::vector<double> product_tolerances(const Values& sums_of_magnitudes, std::int64_t terms,
                                       Element written = Element::float32) {
    const double rounding = written == Element::bfloat16 ? bfloat16_rounding : 0;
    std::vector<double> tolerances;
    for (const float magnitude : sums_of_magnitudes)
        tolerances.push_back(((terms + 4) * epsilon / 2 + rounding) * (magnitude + 1));
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
    for (const Element element : elements)
        for (const std::int64_t rows : some_rows)
            for (const std::int64_t width : widths_of(element)) {
                const Values x = random_values(rows * width, 1), gain = random_values(width, 2);
                // The mean is off by width / 2 epsilon at most, relatively; its root by half of that.
                const double relative = (width / 4.0 + 4) * epsilon;
                const double rounding = element == Element::bfloat16 ? bfloat16_rounding : 0;
                expect_agreement(
                    [&](Device& device) {
                        const Activations out = device.poisoned(rows, width, element);
                        float* inverse = device.poisoned(rows);
                        device.backend.rms_norm({device.hold(x), rows, width}, device.hold(gain), 1e-5f, out,
                                                inverse);
                        return Outputs{device.read(out), device.read(inverse, rows)};
                    },
                    std::vector{4 * (relative + rounding), 4 * relative});  // |x| / rms stays under 4 here
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

/// The three products of a linear layer; the derivatives' outputs are replaced or, in float32, added to.
struct Products {
    std::int64_t rows, inputs, outputs;
    Element element, written;
    Write mode;

    Outputs run(Device& device, bool magnitudes) const {
        const auto numbers = [&](std::int64_t count, std::uint32_t seed) {
            const Values values = exact(random_values(count, seed), element);
            return magnitudes ? absolute(values) : values;
        };
        const Write how = magnitudes ? Write::replace : mode;
        const ConstActivations x = device.hold(numbers(rows * inputs, 1), rows, inputs, element);
        const ConstActivations gradient = device.hold(numbers(rows * outputs, 3), rows, outputs, element);
        const PackedWeights weights = device.pack(numbers(outputs * inputs, 2), outputs, inputs, element);
        const Activations out = device.poisoned(rows, outputs, written);
        const Activations x_gradient =
            how == Write::add ? Activations(MutableMatrix{device.output(how, rows * inputs), rows, inputs})
                              : device.poisoned(rows, inputs, written);
        float* weights_gradient = device.output(how, outputs * inputs);
        float* workspace = device.poisoned(device.backend.linear_workspace(rows, outputs, inputs, element));
        if (out.stride() == out.columns) device.backend.linear(x, weights, nullptr, out);
        device.backend.linear_backward_input(gradient, weights, x_gradient, how);
        device.backend.linear_backward_weights(gradient, x, {weights_gradient, outputs, inputs}, how,
                                               workspace);
        return {out.stride() == out.columns ? device.read(out) : Values{}, device.read(x_gradient),
                device.read(weights_gradient, outputs * inputs)};
    }
};

TEST_P(KernelTest, linearAndItsDerivativesAgree) {
    const auto expect = [&](const Products& products) {
        SCOPED_TRACE(testing::Message()
                     << name(products.element) << " to " << name(products.written) << ", " << products.rows
                     << " x " << products.inputs << " x " << products.outputs);
        Device plain(*reference);
        const Outputs magnitudes = products.run(plain, true);
        expect_agreement([&](Device& device) { return products.run(device, false); },
                         std::vector{product_tolerances(magnitudes[0], products.inputs, products.written),
                                     product_tolerances(magnitudes[1], products.outputs, products.written),
                                     product_tolerances(magnitudes[2], products.rows)});
    };
    for (const std::int64_t rows : some_rows) {
        for (const Write mode : {Write::replace, Write::add})
            for (const std::int64_t inputs : some_widths)
                for (const std::int64_t outputs : some_widths)
                    expect({rows, inputs, outputs, Element::float32, Element::float32, mode});
        for (const std::int64_t inputs : widths_of(Element::bfloat16))
            for (const std::int64_t outputs : {8, 17, 48, 130}) {  // an odd vocabulary's logits, too
                expect({rows, inputs, outputs, Element::bfloat16, Element::float32, Write::replace});
                expect({rows, inputs, outputs, Element::bfloat16, Element::float32, Write::add});
                expect({rows, inputs, outputs, Element::bfloat16, Element::bfloat16, Write::replace});
            }
    }
}

TEST_P(KernelTest, linearAddsToAnAddendAlsoInPlace) {
    const std::int64_t rows = 37, inputs = 24, outputs = 50;
    for (const Element element : elements) {
        const Values x = exact(random_values(rows * inputs, 1), element),
                     weights = exact(random_values(outputs * inputs, 2), element);
        const Values addend = random_values(rows * outputs, 3);
        expect_agreement(
            [&](Device& device) {
                float *apart = device.poisoned(rows * outputs), *held = device.hold(addend);
                const PackedWeights packed = device.pack(weights, outputs, inputs, element);
                const ConstActivations held_x = device.hold(x, rows, inputs, element);
                device.backend.linear(held_x, packed, held, MutableMatrix{apart, rows, outputs});
                device.backend.linear(held_x, packed, held, MutableMatrix{held, rows, outputs});
                return Outputs{device.read(apart, rows * outputs), device.read(held, rows * outputs)};
            },
            std::vector(2, (inputs + 6.0) * epsilon / 2 * (inputs + 1)));
    }
}

TEST_P(KernelTest, linearOfManyRowsAgrees) {
    const std::int64_t rows = 2048, inputs = 32, outputs = 64;  // as large as a proxy's step
    for (const Element element : elements) {
        const Values x = exact(random_values(rows * inputs, 1), element),
                     gradient = exact(random_values(rows * outputs, 2), element);
        expect_agreement(
            [&](Device& device) {
                float* weights_gradient = device.poisoned(outputs * inputs);
                device.backend.linear_backward_weights(
                    device.hold(gradient, rows, outputs, element), device.hold(x, rows, inputs, element),
                    {weights_gradient, outputs, inputs}, Write::replace,
                    device.poisoned(device.backend.linear_workspace(rows, outputs, inputs, element)));
                return Outputs{device.read(weights_gradient, outputs * inputs)};
            },
            // |a|.|b| is about rows / 4 for even numbers in [-1, 1)
            std::vector{rows * epsilon / 2 * rows / 4});
    }
}

/// The bits of `whole` are those of blocks of 32 rows, each added to what the ones before left.
void expect_blocks_add_up(Backend& backend, const std::function<Values(Device&, std::int64_t block)>& sum,
                          std::int64_t rows) {
    Device device(backend);
    EXPECT_EQ(sum(device, rows), sum(device, 32));
}

TEST_P(KernelTest, sumsOverRowsGoOnFromBlockToBlock) {
    const std::int64_t rows = 96, inputs = 20, outputs = 36;
    for (const Element element : elements) {
        const Values x = exact(random_values(rows * inputs, 1), element),
                     gradient = exact(random_values(rows * outputs, 2), element);
        const auto part = [](const Values& values, std::int64_t first, std::int64_t count) {
            return Values(values.begin() + first, values.begin() + first + count);
        };
        expect_blocks_add_up(
            *fast,
            [&](Device& device, std::int64_t block) {
                float* sums = device.poisoned(outputs * inputs);
                for (std::int64_t row = 0; row < rows; row += block)
                    fast->linear_backward_weights(
                        device.hold(part(gradient, row * outputs, block * outputs), block, outputs, element),
                        device.hold(part(x, row * inputs, block * inputs), block, inputs, element),
                        {sums, outputs, inputs}, row == 0 ? Write::replace : Write::add,
                        device.poisoned(fast->linear_workspace(block, outputs, inputs, element)));
                return device.read(sums, outputs * inputs);
            },
            rows);
    }
    const Values x = random_values(rows * inputs, 1), gradient = random_values(rows * inputs, 2);
    expect_blocks_add_up(
        *fast,
        [&](Device& device, std::int64_t block) {
            float* sums = device.poisoned(inputs);
            const float *held_x = device.hold(x), *held_gradient = device.hold(gradient);
            const float *gain = device.hold(Values(inputs, 1)), *inverse = device.hold(Values(rows, 1.5f));
            for (std::int64_t row = 0; row < rows; row += block)
                fast->rms_norm_backward({held_gradient + row * inputs, block, inputs},
                                        {held_x + row * inputs, block, inputs}, gain, inverse + row,
                                        {device.poisoned(block * inputs), block, inputs}, Write::replace,
                                        sums, row == 0 ? Write::replace : Write::add);
            return device.read(sums, inputs);
        },
        rows);
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
                // The logistic function is within 4 epsilon; everything is below 200 times that.
                const double relative = 6 * epsilon + (element == Element::bfloat16 ? bfloat16_rounding : 0);
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
                    std::vector{200 * relative, 200 * relative});
            }
}

TEST_P(KernelTest, roundsToTheNearestEvenBfloat16) {
    Values values{0.0f,
                  -0.0f,
                  1.0f,
                  1.00390625f,  // half way between two, the even one below
                  1.01171875f,  // half way, the even one above
                  0x1.fffffep127f,
                  0x1p-126f,
                  0x1p-127f,  // too small for the processors' own rounding: zero
                  -0x1p-149f,
                  std::numeric_limits<float>::infinity(),
                  -std::numeric_limits<float>::infinity()};
    for (const float value : random_values(4000, 5))
        values.push_back(std::ldexp(value, int(values.size() % 250) - 125));
    const std::int64_t columns = std::int64_t(values.size());
    ASSERT_EQ(columns % 2, 1);
    Device device(*fast);
    const Activations out = device.poisoned(1, columns, Element::bfloat16);
    fast->round({device.hold(values), 1, columns}, out);
    const Values found = device.read(out);
    for (std::int64_t i = 0; i < columns; ++i)
        EXPECT_EQ(std::bit_cast<std::uint32_t>(found[i]),
                  std::bit_cast<std::uint32_t>(widened(rounded(values[i]))))
            << values[i];
    const Activations nan = device.poisoned(1, 2, Element::bfloat16);
    fast->round({device.hold(Values{std::nanf(""), -std::nanf("")}), 1, 2}, nan);
    for (const float value : device.read(nan))
        EXPECT_TRUE(std::isnan(value));
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
            for (const std::int64_t vocabulary : {8, 17, 130, 256}) {
                const auto targets = random_ids(rows, TokenId(vocabulary), 1);
                Values logits = random_values(rows * vocabulary, 2);
                for (float& value : logits)
                    value *= 60;
                logits[0] = 2000;  // half of it has an exponential that is infinite in float32
                // A probability is exp(z - largest) / sum, z below 1000 or 30 and rounded once: its relative
                // error is that rounding, 32 epsilon, and that of the sum, vocabulary epsilon / 2.
                const double share = (64 + vocabulary / 2.0) * epsilon +
                                     (element == Element::bfloat16 ? bfloat16_rounding : 0);
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
                        const MutableMatrix in_place = held();
                        device.backend.cross_entropy_gradient(in_place, ids, 0.5f, 0.25f,
                                                              device.poisoned(rows), in_place);
                        EXPECT_EQ(device.read(losses, rows), device.read(again, rows));
                        return Outputs{device.read(losses, rows), device.read(gradient),
                                       device.read(in_place.data, rows * vocabulary)};
                    },
                    std::vector{1000 * epsilon, 0.125 * share, 0.125 * (64 + vocabulary / 2.0) * epsilon});
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
