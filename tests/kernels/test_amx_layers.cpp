// Linear layers on AMX tiles: near the reference, and the bits of the software tiles.
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/amx_tiles.hpp"
#include "kernels/backend.hpp"
#include "kernels/cpu/cpu_backend.hpp"

namespace isogrid::kernels::test {
namespace {

std::vector<float> weights_of(std::int64_t outputs, std::int64_t inputs) {
    std::mt19937 generator(7);
    std::vector<float> weights(outputs * inputs);
    for (float& weight : weights)
        weight = random_number(generator);
    return weights;
}

/// At most `terms` products of numbers below 1, summed within the errors of a product on tiles
/// (test_amx_products.cpp).
double tolerance_of(std::int64_t terms) {
    return (17 + double(terms) / 32 + 1) * half_epsilon * double(terms);
}

void expect_near(const std::vector<float>& found, const std::vector<float>& wanted, double tolerance) {
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        ASSERT_NEAR(found[i], wanted[i], tolerance) << "number " << i;
}

}  // namespace

TEST_P(TileTest, linearLayersAgreeWithTheReference) {
    cpu::Simd simd{};
    provide_linear(simd);
    const auto reference = make_reference_backend();
    constexpr Element element = Element::bfloat16;
    for (const auto& [rows, outputs, inputs] : std::vector<std::array<std::int64_t, 3>>{
             {1, 1, 1}, {33, 50, 34}, {64, 96, 64}, {47, 31, 65}, {3, 80, 530}}) {
        const auto x = activations(rows, inputs, 1), out_gradient = activations(rows, outputs, 2);
        const std::vector<float> weights = weights_of(outputs, inputs);
        const ConstActivations x_view(x.data(), rows, inputs, element);
        const ConstActivations gradient_view(out_gradient.data(), rows, outputs, element);
        const ConstMatrix weights_view{weights.data(), outputs, inputs};
        std::vector<float> packed(simd.packed_floats(outputs, inputs, element));
        simd.pack_weights(outputs, inputs, weights.data(), element, packed.data());
        std::vector<float> reference_packed(reference->packed_floats(outputs, inputs, element));
        const PackedWeights known = reference->pack_weights(weights_view, element, reference_packed.data());

        std::vector<float> found(rows * outputs, poison), wanted(rows * outputs, poison);
        simd.linear(rows, outputs, inputs, element, x.data(), packed.data(), nullptr, Element::float32,
                    found.data());
        reference->linear(x_view, known, nullptr, MutableMatrix{wanted.data(), rows, outputs});
        expect_near(found, wanted, tolerance_of(inputs));

        found.assign(rows * inputs, 0.25f);
        wanted = found;
        simd.linear_backward_input(rows, outputs, inputs, element, out_gradient.data(), packed.data(),
                                   Element::float32, found.data(), Write::add);
        reference->linear_backward_input(gradient_view, known, MutableMatrix{wanted.data(), rows, inputs},
                                         Write::add);
        expect_near(found, wanted, tolerance_of(outputs + 1));

        found.assign(outputs * inputs, 0.25f);
        wanted = found;
        std::vector<float> workspace(simd.linear_workspace(rows, outputs, inputs, element), poison);
        std::vector<float> reference_workspace(reference->linear_workspace(rows, outputs, inputs, element));
        simd.linear_backward_weights(rows, outputs, inputs, element, out_gradient.data(), x.data(),
                                     found.data(), Write::add, workspace.data());
        reference->linear_backward_weights(gradient_view, x_view,
                                           MutableMatrix{wanted.data(), outputs, inputs}, Write::add,
                                           reference_workspace.data());
        expect_near(found, wanted, tolerance_of(rows + 1));
    }
}

TEST_P(TileTest, addingBlocksOfRowsGivesTheBitsOfAllRowsAtOnce) {
    cpu::Simd simd{};
    provide_linear(simd);
    constexpr std::int64_t outputs = 35, inputs = 50;  // 640 rows are 320 steps: two chunks
    for (const auto& blocks : std::vector<std::vector<std::int64_t>>{
             {32, 32, 32}, {64, 32}, {32, 96, 7}, {128, 512}, {32, 576, 32}}) {
        std::int64_t all = 0;
        for (const std::int64_t rows : blocks)
            all += rows;
        const auto x = activations(all, inputs, 3), gradient = activations(all, outputs, 4);
        const auto add = [&](std::int64_t first, std::int64_t rows, Write mode, std::vector<float>& sums) {
            std::vector<float> workspace(simd.linear_workspace(rows, outputs, inputs, Element::bfloat16));
            simd.linear_backward_weights(rows, outputs, inputs, Element::bfloat16,
                                         gradient.data() + first * row_stride(outputs, Element::bfloat16),
                                         x.data() + first * inputs, sums.data(), mode, workspace.data());
        };
        std::vector<float> at_once(outputs * inputs, poison), by_blocks = at_once;
        add(0, all, Write::replace, at_once);
        std::int64_t first = 0;
        for (const std::int64_t rows : blocks) {
            add(first, rows, first == 0 ? Write::replace : Write::add, by_blocks);
            first += rows;
        }
        EXPECT_EQ(0, std::memcmp(at_once.data(), by_blocks.data(), at_once.size() * sizeof(float))) << all;
    }
}

TEST_P(TileTest, givesTheBitsOfTheSoftwareTiles) {
    // What trials see: whole linear layers. The sizes above go through the manual's formula; these are large.
    if (GetParam() == "software") GTEST_SKIP() << "these are the software tiles";
    if (!cpu::supported(cpu::InstructionSet::avx2)) GTEST_SKIP() << "this processor does not run avx2";
    cpu::Simd here{}, software{};
    provide_linear(here);
    cpu::amx_software::provide_linear(software);
    constexpr std::int64_t rows = 160, outputs = 130, inputs = 98;
    constexpr Element element = Element::bfloat16;
    const auto x = activations(rows, inputs, 5), gradient = activations(rows, outputs, 6);
    const std::vector<float> weights = weights_of(outputs, inputs);
    const auto results = [&](const cpu::Simd& simd) {
        std::vector<float> packed(simd.packed_floats(outputs, inputs, element));
        simd.pack_weights(outputs, inputs, weights.data(), element, packed.data());
        std::vector<float> workspace(simd.linear_workspace(rows, outputs, inputs, element));
        std::vector<float> all(rows * outputs / 2 + rows * inputs + outputs * inputs, poison);
        float* x_gradient = all.data() + rows * outputs / 2;
        simd.linear(rows, outputs, inputs, element, x.data(), packed.data(), nullptr, element, all.data());
        simd.linear_backward_input(rows, outputs, inputs, element, gradient.data(), packed.data(),
                                   Element::float32, x_gradient, Write::replace);
        simd.linear_backward_weights(rows, outputs, inputs, element, gradient.data(), x.data(),
                                     x_gradient + rows * inputs, Write::replace, workspace.data());
        return all;
    };
    const std::vector<float> found = results(here), wanted = results(software);
    EXPECT_EQ(0, std::memcmp(found.data(), wanted.data(), found.size() * sizeof(float)));
}

}  // namespace isogrid::kernels::test
