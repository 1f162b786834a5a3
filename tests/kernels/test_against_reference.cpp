// Every op of the fast backends against the reference, attention apart (test_attention.cpp).
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

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

INSTANTIATE_TEST_SUITE_P(Fast, KernelTest, testing::ValuesIn(fast_backend_names()),
                         [](const auto& info) { return info.param; });

/// A sum of n products in any order is within n u |a|.|b| of the truth, u = epsilon / 2 (Higham 2002,
/// Accuracy and stability of numerical algorithms, eq. 3.5); scaling and adding round a few times more.
/// Products of two bfloat16 are exact in float32, so this holds for them too.
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
        // Packing rounds them to the element, here as in the reference.
        const Values full = random_values(outputs * inputs, 2);
        const PackedWeights weights =
            device.pack(magnitudes ? absolute(full) : full, outputs, inputs, element);
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
                         std::vector{product_tolerances(magnitudes[0], products.inputs),
                                     product_tolerances(magnitudes[1], products.outputs),
                                     product_tolerances(magnitudes[2], products.rows)},
                         {unit_of(products.written), unit_of(products.written), 0});
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

TEST_P(KernelTest, whatFillsUpOddRowsIsNothingToProducts) {
    const std::int64_t rows = 37, inputs = 24;
    for (const std::int64_t vocabulary : {1, 17, 131}) {
        Device device(*fast);
        const ConstActivations x = device.hold(exact(random_values(rows * inputs, 1), Element::bfloat16),
                                               rows, inputs, Element::bfloat16);
        const PackedWeights weights =
            device.pack(random_values(vocabulary * inputs, 2), vocabulary, inputs, Element::bfloat16);
        const auto products = [&](ConstActivations gradient) {
            const MutableMatrix x_gradient{device.poisoned(rows * inputs), rows, inputs};
            const MutableMatrix weights_gradient{device.poisoned(vocabulary * inputs), vocabulary, inputs};
            fast->linear_backward_input(gradient, weights, x_gradient, Write::replace);
            fast->linear_backward_weights(
                gradient, x, weights_gradient, Write::replace,
                device.poisoned(fast->linear_workspace(rows, vocabulary, inputs, Element::bfloat16)));
            return std::pair{bits(device.read(x_gradient)), bits(device.read(weights_gradient))};
        };
        const Activations of_loss = device.poisoned(rows, vocabulary, Element::bfloat16),
                          of_rounding = device.poisoned(rows, vocabulary, Element::bfloat16);
        const Values logits = random_values(rows * vocabulary, 3);
        fast->cross_entropy_gradient({device.hold(logits), rows, vocabulary},
                                     device.hold(random_ids(rows, TokenId(vocabulary), 4)), 1.0f, 1.0f,
                                     device.poisoned(rows), of_loss);
        fast->round({device.hold(logits), rows, vocabulary}, of_rounding);
        for (const Activations& gradient : {of_loss, of_rounding})  // against rows that the test fills up
            EXPECT_EQ(products(gradient),
                      products(device.hold(device.read(gradient), rows, vocabulary, Element::bfloat16)))
                << "vocabulary " << vocabulary;
    }
}

TEST_P(KernelTest, packsAllMatricesAgainWhenTheirWeightsHaveChanged) {
    struct Size {
        std::int64_t outputs, inputs;
    };
    const std::vector<Size> sizes{{8, 24}, {17, 24}, {130, 48}, {3, 7}};  // odd ones, too
    const std::int64_t rows = 5;
    for (const Element element : elements) {
        Device device(*fast);
        std::vector<PackedWeights> old_ones, new_ones;
        for (const Size& size : sizes) {
            const Values changed = random_values(size.outputs * size.inputs, 2);
            old_ones.push_back(device.pack(random_values(size.outputs * size.inputs, 1), size.outputs,
                                           size.inputs, element));
            new_ones.push_back(device.pack(changed, size.outputs, size.inputs, element));
            fast->copy_in(const_cast<float*>(old_ones.back().weights.data), changed.data(),
                          changed.size() * sizeof(float));
        }
        const Storage all = fast->allocate(sizes.size() * sizeof(PackedWeights));
        fast->copy_in(all.get(), old_ones.data(), sizes.size() * sizeof(PackedWeights));
        fast->pack_weights_again(
            {{reinterpret_cast<const PackedWeights*>(all.get()), sizes.size()}, element});
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            const ConstActivations x = device.hold(exact(random_values(rows * sizes[i].inputs, 3), element),
                                                   rows, sizes[i].inputs, element);
            const auto product = [&](const PackedWeights& weights) {
                const MutableMatrix out{device.poisoned(rows * sizes[i].outputs), rows, sizes[i].outputs};
                fast->linear(x, weights, nullptr, out);
                return bits(device.read(out));
            };
            EXPECT_EQ(product(old_ones[i]), product(new_ones[i])) << "matrix " << i;
        }
    }
}

TEST_P(KernelTest, linearAddsToAnAddendAlsoInPlace) {
    const std::int64_t rows = 37, inputs = 24, outputs = 50;
    for (const Element element : elements) {
        const Values x = exact(random_values(rows * inputs, 1), element),
                     weights = random_values(outputs * inputs, 2);
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
        Products products{rows, inputs, outputs, element, element, Write::replace};
        Device plain(*reference);
        const Outputs magnitudes = products.run(plain, true);
        expect_agreement(
            [&](Device& device) { return products.run(device, false); },
            std::vector{product_tolerances(magnitudes[0], inputs), product_tolerances(magnitudes[1], outputs),
                        product_tolerances(magnitudes[2], rows)},
            {unit_of(element), unit_of(element), 0});
    }
}

/// How 96 rows may be cut. What AMX's tiles add up in bfloat16 they add in steps of 32 rows, the others in
/// pairs.
std::vector<std::vector<std::int64_t>> cuts_of_96_rows(Element element, bool tiles) {
    if (element == Element::float32) return {{1, 36, 59}, {32, 32, 32}, {95, 1}, {50, 13, 33}};
    if (tiles) return {{32, 32, 32}, {64, 32}, {32, 64}};
    return {{2, 30, 64}, {32, 32, 32}, {94, 2}, {38, 6, 52}};
}

/// Calls add(first row, rows, mode) for block after block, and for all rows at once: `sums` gets the same
/// bits, whether cleared first or added to.
void expect_blocks_add_up(const std::vector<std::int64_t>& blocks, const std::function<Values()>& read,
                          const std::function<void(Write)>& begin,
                          const std::function<void(std::int64_t, std::int64_t, Write)>& add) {
    for (const Write mode : {Write::replace, Write::add}) {
        begin(mode);
        add(0, 96, mode);
        const Values at_once = read();
        begin(mode);
        std::int64_t first = 0;
        for (const std::int64_t rows : blocks) {
            add(first, rows, first == 0 ? mode : Write::add);
            first += rows;
        }
        ASSERT_EQ(first, 96);
        EXPECT_EQ(bits(read()), bits(at_once)) << testing::PrintToString(blocks);
    }
}

class SumsOverRows : public KernelTest {
  protected:
    /// `add` adds rows of a gradient and of x, from the first to before the last, to `size` sums.
    void expect_any_cut_to_give_the_same_bits(
        Element element, std::int64_t size,
        const std::function<void(Device&, std::int64_t first, std::int64_t rows, float* sums, Write)>& add) {
        for (const auto& blocks : cuts_of_96_rows(element, GetParam() == "amx")) {
            Device device(*fast);
            float* sums = nullptr;
            expect_blocks_add_up(
                blocks, [&] { return device.read(sums, size); },
                [&](Write mode) { sums = device.output(mode, size); },
                [&](std::int64_t first, std::int64_t rows, Write mode) {
                    add(device, first, rows, sums, mode);
                });
        }
    }

    static constexpr std::int64_t all_rows = 96, inputs = 20, outputs = 35;
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SumsOverRows);  // in a program without a processor's backend
INSTANTIATE_TEST_SUITE_P(Fast, SumsOverRows, testing::ValuesIn(names_that_add_rows_in_order()),
                         [](const auto& info) { return info.param; });

Values part_of(const Values& values, std::int64_t first, std::int64_t count) {
    return {values.begin() + first, values.begin() + first + count};
}

TEST_P(SumsOverRows, gradientsOfWeightsGoOnFromBlockToBlock) {
    for (const Element element : elements) {
        const Values x = exact(random_values(all_rows * inputs, 1), element),
                     gradient = exact(random_values(all_rows * outputs, 2), element);
        expect_any_cut_to_give_the_same_bits(
            element, outputs * inputs,
            [&](Device& device, std::int64_t first, std::int64_t rows, float* sums, Write mode) {
                fast->linear_backward_weights(
                    device.hold(part_of(gradient, first * outputs, rows * outputs), rows, outputs, element),
                    device.hold(part_of(x, first * inputs, rows * inputs), rows, inputs, element),
                    {sums, outputs, inputs}, mode,
                    device.poisoned(fast->linear_workspace(rows, outputs, inputs, element)));
            });
    }
}

TEST_P(SumsOverRows, gradientsOfGainsGoOnFromBlockToBlock) {
    const Values x = random_values(all_rows * inputs, 1), gradient = random_values(all_rows * inputs, 2);
    const Values gain = random_values(inputs, 3), inverse = absolute(random_values(all_rows, 4));
    expect_any_cut_to_give_the_same_bits(
        Element::float32, inputs,
        [&](Device& device, std::int64_t first, std::int64_t rows, float* sums, Write mode) {
            const auto held = [&](const Values& values) {
                return ConstMatrix{device.hold(part_of(values, first * inputs, rows * inputs)), rows, inputs};
            };
            fast->rms_norm_backward(
                held(gradient), held(x), device.hold(gain), device.hold(part_of(inverse, first, rows)),
                {device.poisoned(rows * inputs), rows, inputs}, Write::replace, sums, mode, {});
        });
}

TEST_P(SumsOverRows, gradientsOfTablesGoOnFromBlockToBlock) {
    const Values gradient = random_values(all_rows * inputs, 2);
    const std::vector<TokenId> ids = random_ids(all_rows, 7, 1);
    expect_any_cut_to_give_the_same_bits(
        Element::float32, 7 * inputs,
        [&](Device& device, std::int64_t first, std::int64_t rows, float* sums, Write mode) {
            const std::vector<TokenId> some(ids.begin() + first, ids.begin() + first + rows);
            fast->embedding_backward(
                device.hold(some),
                {device.hold(part_of(gradient, first * inputs, rows * inputs)), rows, inputs}, 0.7f,
                {sums, 7, inputs}, mode);
        });
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
        Values wanted;
        for (std::int64_t i = 0; i < rows * columns; ++i)
            wanted.push_back(widened(rounded(values[i])));
        EXPECT_EQ(bits(device.read(out)), bits(wanted)) << columns << " columns";
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
            for (const std::int64_t vocabulary : {8, 17, 130, 256}) {
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

TEST_P(KernelTest, adamwAgreesOverSeveralSteps) {
    for (const std::int64_t size : {1, 16, 37, 130}) {
        const Values start = random_values(size, 1);
        expect_agreement(
            [&](Device& device) {
                float *weights = device.hold(start), *first = device.hold(Values(size, 0)),
                      *second = device.hold(Values(size, 0));
                for (int step = 1; step <= 5; ++step)
                    adamw(device, {step, 0.1f, 0.9f, 0.95f, 1e-8f, 0.01f}, 0.5f,
                          device.hold(random_values(size, 100 + step)), weights, first, second, size);
                return Outputs{device.read(weights, size), device.read(first, size),
                               device.read(second, size)};
            },
            // Five steps, each moving a weight of about 1 by 0.1 with about ten roundings.
            std::vector{5 * 4 * epsilon, 10 * epsilon, 10 * epsilon});
    }
}

/// Runs of three kinds in turns, between gaps; some begin within four numbers of another.
std::vector<Run> some_runs() {
    std::vector<Run> runs;
    std::int64_t first = 0, kind = 0;
    for (const std::int64_t size : {5, 64, 3, 1000, 1, 16, 9000}) {
        runs.push_back({first, size, kind++ % 3});
        first += size + (size % 2 == 0 ? 16 - size % 16 : 0);
    }
    return runs;
}
std::int64_t numbers_of_some_runs() {
    return some_runs().back().first + some_runs().back().size;
}

/// The same in a backend's memory.
struct HeldRuns {
    explicit HeldRuns(Backend& backend) {
        const std::vector<Run> runs = some_runs();
        storage = backend.allocate(runs.size() * sizeof(Run));
        backend.copy_in(storage.get(), runs.data(), runs.size() * sizeof(Run));
        view = {reinterpret_cast<const Run*>(storage.get()), runs.size()};
    }
    Storage storage;
    std::span<const Run> view;
};

TEST_P(KernelTest, adamwTrainsEachRunAsItsKind) {
    const std::int64_t size = numbers_of_some_runs();
    expect_agreement(
        [&](Device& device) {
            float *weights = device.hold(random_values(size, 1)),
                  *first = device.hold(random_values(size, 2)),
                  *second = device.hold(Values(std::size_t(size), 0.25f));
            const float* gradient = device.hold(random_values(size, 3));
            const std::array<AdamWStep, 3> steps = {{{4, 0.1f, 0.9f, 0.95f, 1e-8f, 0.01f},
                                                     {4, 0.02f, 0.9f, 0.95f, 1e-8f, 0},
                                                     {4, 0.3f, 0.8f, 0.9f, 1e-6f, 0.02f}}};
            const HeldRuns runs(device.backend);
            const AdamWStep* kinds = device.hold_one(steps)->data();
            const auto train = [&](const Standing& standing) {
                const auto count = std::size_t(size);
                device.backend.adamw(runs.view, kinds, device.hold_one(standing), {gradient, count},
                                     {weights, count}, {first, count}, {second, count}, {});
            };
            train({.gradient_scale = 0.5f});
            train({.ended_at = 4, .gradient_scale = 1e6f});  // changes nothing any more
            return Outputs{device.read(weights, size), device.read(first, size), device.read(second, size)};
        },
        // As above: one step, of a rate of 0.3 at most, over moments that were there before.
        std::vector{20 * epsilon, 4 * epsilon, 4 * epsilon});
}

TEST_P(KernelTest, adamwPacksTheWeightsThatItChanges) {
    // A matrix of three tensors that follow one another, two of which begin at no multiple of four; a gain
    // that nothing is multiplied with; a matrix of rows that are filled up.
    const std::vector<kernels::Run> runs{
        {0, 70, 0}, {70, 43, 0}, {113, 13, 0}, {128, 14, 0}, {144, 9 * 13, 0}};
    struct Matrix {
        std::int64_t first, rows, columns;
    };
    const std::vector<Matrix> matrices{{0, 9, 14}, {144, 9, 13}};
    const std::int64_t size = 144 + 9 * 13;
    const auto count = std::size_t(size);
    for (const Element element : elements) {
        Device device(*fast);
        float* weights = device.hold(random_values(size, 1));
        const auto packed = [&] {
            std::vector<PackedWeights> all;
            for (const auto& [first, rows, columns] : matrices)
                all.push_back(
                    fast->pack_weights({weights + first, rows, columns}, element,
                                       device.poisoned(fast->packed_floats(rows, columns, element))));
            return all;
        };
        const auto contents = [&](const std::vector<PackedWeights>& all) {
            std::vector<std::vector<std::uint32_t>> found;
            for (std::size_t i = 0; i < all.size(); ++i)
                found.push_back(bits(device.read(
                    all[i].packed, fast->packed_floats(matrices[i].rows, matrices[i].columns, element))));
            return found;
        };
        const std::vector<PackedWeights> before = packed();
        const auto* held = device.hold_one(std::array{before[0], before[1]})->data();
        const auto* held_runs =
            device.hold_one(std::array{runs[0], runs[1], runs[2], runs[3], runs[4]})->data();
        float *first = device.hold(random_values(size, 2)), *second = device.hold(Values(count, 0.25f));
        const auto train = [&](const Standing& standing) {
            fast->adamw({held_runs, runs.size()},
                        device.hold_one(AdamWStep{4, 0.1f, 0.9f, 0.95f, 1e-8f, 0.01f}),
                        device.hold_one(standing), {device.hold(random_values(size, 3)), count},
                        {weights, count}, {first, count}, {second, count}, {{held, before.size()}, element});
        };
        const auto old_contents = contents(before);
        train({});
        const auto new_contents = contents(before);
        EXPECT_EQ(new_contents, contents(packed()));
        if (fast->packed_floats(9, 14, element) > 0) {
            EXPECT_NE(new_contents, old_contents);
        }
        train({.ended_at = 3});  // changes nothing any more
        EXPECT_EQ(contents(before), new_contents);
    }
}

TEST_P(KernelTest, sumsOfSquaresAreAddedUpByKind) {
    const std::int64_t size = numbers_of_some_runs();
    const auto sums = [&](Backend& backend) {
        Device device(backend);
        const HeldRuns runs(backend);
        std::array<double, 3> kinds = {1000, 2000, 3000};
        const Storage totals = backend.allocate(sizeof kinds);
        backend.copy_in(totals.get(), kinds.data(), sizeof kinds);
        backend.add_sums_of_squares({device.hold(random_values(size, 1)), std::size_t(size)}, runs.view,
                                    reinterpret_cast<double*>(totals.get()));
        backend.copy_out(kinds.data(), totals.get(), sizeof kinds);
        return kinds;
    };
    const auto expected = sums(*reference), found = sums(*fast);
    for (std::size_t kind = 0; kind < 3; ++kind)
        EXPECT_NEAR(found[kind], expected[kind], double(size) * double(size) * 1.2e-16);
    EXPECT_EQ(sums(*fast), found);
}

TEST_P(KernelTest, aStepIsClosedWithItsNormAndTheFirstThatIsNotANumberStays) {
    const auto close = [](Backend& backend, Standing standing, double loss, double squares) {
        Device device(backend);
        auto* at = const_cast<Standing*>(device.hold_one(standing));
        backend.close_step(device.hold_one(loss), device.hold_one(squares), device.hold_one(AdamWStep{7}),
                           {.tokens = 4, .gradient_clip = 2}, at);
        backend.copy_out(&standing, at, sizeof standing);
        return standing;
    };
    const double nothing = std::numeric_limits<double>::quiet_NaN();
    for (Backend* backend : {fast.get(), reference.get()}) {
        const Standing clipped = close(*backend, {.loss_sum = 1}, 8, 64);
        EXPECT_EQ(clipped.ended_at, 0);
        EXPECT_EQ(clipped.loss, 2);
        EXPECT_EQ(clipped.loss_sum, 3);
        EXPECT_EQ(clipped.gradient_norm, 8);
        EXPECT_EQ(clipped.gradient_scale, 0.25f);
        EXPECT_EQ(close(*backend, {.gradient_scale = 9}, 8, 4).gradient_scale, 1);
        EXPECT_EQ(close(*backend, {}, nothing, 4).ended_at, 7);
        EXPECT_EQ(close(*backend, {}, 8, std::numeric_limits<double>::infinity()).ended_at, 7);
        const Standing ended = close(*backend, {.ended_at = 3, .loss = 5}, 8, 4);
        EXPECT_EQ(ended.ended_at, 3);
        EXPECT_EQ(ended.loss, 5);
    }
}

TEST_P(KernelTest, recordedWorkDoesTheSameAgain) {
    const Values start = random_values(1000, 1), step = random_values(1000, 2);
    Device device(*fast);
    float *sums = device.hold(start), *told = device.hold(step);
    const auto add = fast->recorded([&] { fast->accumulate({sums, 1000}, {told, 1000}); });
    Values expected = start;
    for (int round = 0; round < 5; ++round) {
        Values now = step;
        for (float& value : now)
            value *= float(round);
        fast->copy_in(told, now.data(), now.size() * sizeof(float));
        now.assign(now.size(), 7);  // copies in have taken what they need
        add();
        for (std::size_t i = 0; i < expected.size(); ++i)
            expected[i] += step[i] * float(round);
    }
    EXPECT_EQ(bits(device.read(sums, 1000)), bits(expected));
}

}  // namespace

}  // namespace isogrid::kernels::test
