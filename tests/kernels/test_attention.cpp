// Causal attention of the fast backends against the reference, and its closed forms.
#include <cmath>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

using AttentionTest = KernelTest;

INSTANTIATE_TEST_SUITE_P(Cpu, AttentionTest, testing::Values("avx2", "avx512"),
                         [](const auto& info) { return info.param; });

Op attention_of(const AttentionShape& shape) {
    const std::int64_t rows = shape.batch * shape.context, width = shape.heads * shape.head_width;
    return [=](Device& device) {
        const auto held = [&](std::uint32_t seed) {
            return ConstMatrix{device.hold(random_values(rows * width, seed)), rows, width};
        };
        const auto written = [&] { return MutableMatrix{device.poisoned(rows * width), rows, width}; };
        const ConstMatrix q = held(1), k = held(2), v = held(3), out_gradient = held(4);
        const MutableMatrix out = written(), q_gradient = written(), k_gradient = written(),
                            v_gradient = written();
        float* log_sum = device.poisoned(shape.batch * shape.heads * shape.context);
        float* workspace = device.poisoned(device.backend.attention_workspace(shape));
        device.backend.attention(q, k, v, shape, out, log_sum, workspace);
        device.backend.attention_backward(out_gradient, q, k, v, out, log_sum, shape, q_gradient, k_gradient,
                                          v_gradient, workspace);
        Outputs results{device.read(log_sum, shape.batch * shape.heads * shape.context)};
        for (const MutableMatrix& matrix : {out, q_gradient, k_gradient, v_gradient})
            results.push_back(device.read(matrix.data, rows * width));
        return results;
    };
}

TEST_P(AttentionTest, agreesForOddAndEvenSizes) {
    for (const std::int64_t context : {1, 5, 33, 128})
        for (const std::int64_t head_width : {8, 16, 24, 64})
            for (const std::int64_t heads : {1, 3}) {
                SCOPED_TRACE(testing::Message() << "context " << context << ", head width " << head_width
                                                << ", heads " << heads);
                const AttentionShape shape{2, context, heads, head_width, 1 / std::sqrt(float(head_width))};
                // A score is a scaled sum of head_width products below 1, so the exponentials are off by
                // score = head_width sqrt(head_width) / 2 epsilon relatively at worst, and sums over the
                // context by context / 2 more. Outputs are means of numbers below 1. A gradient's terms,
                // p (dout.v - dout.out), are means too, of numbers below head_width / sqrt(head_width); keys
                // and values gather one from each later query.
                const double score = head_width * std::sqrt(double(head_width)) / 2;
                const double relative = (score + context / 2.0 + 8) * epsilon;
                const double reach = std::sqrt(double(head_width));
                const double gathered = std::sqrt(double(context));
                expect_agreement(attention_of(shape), {relative, relative, reach * relative,
                                                       gathered * reach * relative, gathered * relative});
            }
}

TEST_P(AttentionTest, firstTokenSeesOnlyItself) {
    const AttentionShape shape{1, 20, 2, 16, 0.25f};
    Device device(*fast);
    const Values v = random_values(20 * 32, 3);
    const ConstMatrix q{device.hold(random_values(20 * 32, 1)), 20, 32};
    const ConstMatrix values{device.hold(v), 20, 32};
    const MutableMatrix out{device.poisoned(20 * 32), 20, 32};
    fast->attention(q, q, values, shape, out, device.poisoned(40),
                    device.poisoned(fast->attention_workspace(shape)));
    const Values result = device.read(out.data, 32);
    for (int column = 0; column < 32; ++column)
        EXPECT_EQ(result[column], v[column]);
}

TEST_P(AttentionTest, laterTokensChangeNothingBefore) {
    const AttentionShape shape{1, 40, 1, 16, 0.25f};
    const auto outputs = [&](float last) {
        Device device(*fast);
        Values k = random_values(40 * 16, 2), v = random_values(40 * 16, 3);
        k.back() = v.back() = last;
        const MutableMatrix out{device.poisoned(40 * 16), 40, 16};
        fast->attention({device.hold(random_values(40 * 16, 1)), 40, 16}, {device.hold(k), 40, 16},
                        {device.hold(v), 40, 16}, shape, out, device.poisoned(40),
                        device.poisoned(fast->attention_workspace(shape)));
        return device.read(out.data, 39 * 16);
    };
    EXPECT_EQ(outputs(0), outputs(7));
}

TEST_P(AttentionTest, equalScoresGiveTheRunningMean) {
    const std::int64_t context = 37;
    const AttentionShape shape{1, context, 1, 8, 1.0f};
    Device device(*fast);
    const Values v = random_values(context * 8, 3);
    const ConstMatrix zero{device.hold(Values(context * 8, 0)), context, 8};
    const MutableMatrix out{device.poisoned(context * 8), context, 8};
    float* log_sum = device.poisoned(context);
    fast->attention(zero, zero, {device.hold(v), context, 8}, shape, out, log_sum,
                    device.poisoned(fast->attention_workspace(shape)));
    const Values result = device.read(out.data, context * 8), log_sums = device.read(log_sum, context);
    for (std::int64_t column = 0; column < 8; ++column) {
        double total = 0;
        for (std::int64_t i = 0; i < context; ++i) {
            total += v[i * 8 + column];
            EXPECT_NEAR(result[i * 8 + column], total / double(i + 1), context * epsilon);
            EXPECT_NEAR(log_sums[i], std::log(double(i + 1)), 4 * epsilon);
        }
    }
}

}  // namespace

}  // namespace isogrid::kernels::test
