// Attention on AMX tiles: near the reference, and the bits of the software tiles.
#include <cmath>
#include <vector>

#include "kernels/amx_tiles.hpp"
#include "kernels/backend.hpp"
#include "kernels/cpu/cpu_backend.hpp"

namespace isogrid::kernels::test {
namespace {

/// Mixed values, log sums and the gradients of q, k and v, as float32.
struct AttentionResults {
    std::vector<float> out, log_sums, qkv_gradient;
};

std::vector<float> widened(const std::vector<Bfloat16>& numbers) {
    std::vector<float> wide;
    for (const Bfloat16 number : numbers)
        wide.push_back(kernels::widened(number));
    return wide;
}

/// Angles of any size: position times column.
struct Rotations {
    explicit Rotations(const AttentionShape& shape) {
        for (std::int64_t i = 0; i < shape.context * shape.head_width / 2; ++i) {
            cosines.push_back(std::cos(0.37f * float(i)));
            sines.push_back(std::sin(0.37f * float(i)));
        }
    }
    RotaryTables tables() const { return {cosines.data(), sines.data()}; }
    std::vector<float> cosines, sines;
};

AttentionResults attention_on(const cpu::Simd& simd, const AttentionShape& shape) {
    constexpr Element element = Element::bfloat16;
    const Rotations rotations(shape);
    const std::int64_t rows = shape.rows(), width = shape.width();
    const auto qkv = activations(rows, 3 * width, 1), out_gradient = activations(rows, width, 2);
    std::vector<Bfloat16> out(rows * width), qkv_gradient(rows * 3 * width);
    AttentionResults results;
    results.log_sums.assign(rows * shape.heads, poison);
    std::vector<float> workspace(simd.attention_workspace(shape, element), poison);
    simd.attention(shape, rotations.tables(), element, qkv.data(), out.data(), results.log_sums.data(),
                   workspace.data());
    workspace.assign(workspace.size(), poison);
    simd.attention_backward(shape, rotations.tables(), element, out_gradient.data(), qkv.data(), out.data(),
                            results.log_sums.data(), qkv_gradient.data(), workspace.data());
    results.out = widened(out);
    results.qkv_gradient = widened(qkv_gradient);
    return results;
}

double root_mean_square(const std::vector<float>& numbers) {
    double sum = 0;
    for (const float number : numbers)
        sum += double(number) * number;
    return std::sqrt(sum / double(numbers.size()));
}

/// The root mean square of the differences is at most `share` of that of the numbers.
void expect_close(const std::vector<float>& found, const std::vector<float>& wanted, double share) {
    ASSERT_EQ(found.size(), wanted.size());
    std::vector<float> differences;
    for (std::size_t i = 0; i < found.size(); ++i)
        differences.push_back(found[i] - wanted[i]);
    EXPECT_LE(root_mean_square(differences), share * root_mean_square(wanted));
}

}  // namespace

TEST_P(TileTest, attentionAgreesWithTheReference) {
    cpu::Simd simd{};
    provide_attention(simd);
    const auto reference = make_reference_backend();
    constexpr Element element = Element::bfloat16;
    std::vector<AttentionShape> shapes{{1, 33, 1, 16, 0.25f}};
    if (!emulated)
        shapes = {{2, 1, 1, 8, 0.35f},
                  {1, 33, 3, 16, 0.25f},
                  {2, 130, 1, 48, 0.14f},
                  {1, 200, 2, 64, 0.125f},
                  {1, 5, 1, 128, 0.09f}};
    for (const AttentionShape& shape : shapes) {
        const AttentionResults found = attention_on(simd, shape);
        const Rotations rotations(shape);
        const std::int64_t rows = shape.rows(), width = shape.width();
        const auto qkv = activations(rows, 3 * width, 1), out_gradient = activations(rows, width, 2);
        std::vector<Bfloat16> out(rows * width), qkv_gradient(rows * 3 * width);
        std::vector<float> log_sums(rows * shape.heads);
        const ConstActivations qkv_view(qkv.data(), rows, 3 * width, element);
        reference->attention(qkv_view, rotations.tables(), shape,
                             Activations(out.data(), rows, width, element), log_sums.data(), nullptr);
        reference->attention_backward(ConstActivations(out_gradient.data(), rows, width, element), qkv_view,
                                      rotations.tables(), ConstActivations(out.data(), rows, width, element),
                                      log_sums.data(), shape,
                                      Activations(qkv_gradient.data(), rows, 3 * width, element), nullptr);
        // Roundings of 2^-8 / sqrt(3) in the mean: four on the way to out and six on the way back
        // (test_attention.cpp), and on this way back those of `out`, which is its own here.
        expect_close(found.out, widened(out), std::sqrt(4.0 / 3) * 0x1p-8);
        expect_close(found.qkv_gradient, widened(qkv_gradient), std::sqrt(8.0 / 3) * 0x1p-8);
        for (std::size_t i = 0; i < log_sums.size(); ++i)
            EXPECT_NEAR(found.log_sums[i], log_sums[i], 0x1p-5);
    }
}

TEST_P(TileTest, attentionGivesTheBitsOfTheSoftwareTiles) {
    if (GetParam() == "software") GTEST_SKIP() << "these are the software tiles";
    if (!cpu::supported(cpu::InstructionSet::avx2)) GTEST_SKIP() << "this processor does not run avx2";
    cpu::Simd here{}, software{};
    provide_attention(here);
    cpu::amx_software::provide_attention(software);
    const AttentionShape shape{1, emulated ? 40 : 170, 2, 40, 0.16f};
    const AttentionResults found = attention_on(here, shape), wanted = attention_on(software, shape);
    EXPECT_EQ(found.out, wanted.out);
    EXPECT_EQ(found.log_sums, wanted.log_sums);
    EXPECT_EQ(found.qkv_gradient, wanted.qkv_gradient);
}

}  // namespace isogrid::kernels::test
