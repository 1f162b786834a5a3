// Linear layers against the reference.
#include <utility>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

/// A sum of n products in any order is within n u |a|.|b| of the truth, u = epsilon / 2 (Higham 2002,
/// Accuracy and stability of numerical algorithms, eq. 3.5); scaling and adding round a few times more.
/// Products of two bfloat16 are exact in float32, so this holds for them too.
std::vector<double> product_tolerances(const Values& sums_of_magnitudes, std::int64_t terms) {
    std::vector<double> tolerances;
    for (const float magnitude : sums_of_magnitudes)
        tolerances.push_back((terms + 4) * epsilon / 2 * (magnitude + 1));
    return tolerances;
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

}  // namespace

}  // namespace isogrid::kernels::test
