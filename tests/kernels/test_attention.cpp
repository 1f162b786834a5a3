// Causal attention of the fast backends against the reference, and its closed forms.
#include <cmath>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

using AttentionTest = KernelTest;

INSTANTIATE_TEST_SUITE_P(Cpu, AttentionTest, testing::ValuesIn(instruction_set_names()),
                         [](const auto& info) { return info.param; });

/// Tables of any angles.
RotaryTables rotary_tables(Device& device, const AttentionShape& shape) {
    Values cosines, sines;
    for (const float angle : random_values(shape.context * shape.head_width / 2, 9)) {
        cosines.push_back(std::cos(3 * angle));
        sines.push_back(std::sin(3 * angle));
    }
    return {device.hold(cosines), device.hold(sines)};
}

/// No rotation.
RotaryTables still_tables(Device& device, const AttentionShape& shape) {
    const std::int64_t size = shape.context * shape.head_width / 2;
    return {device.hold(Values(size, 1)), device.hold(Values(size, 0))};
}

Op attention_of(const AttentionShape& shape, Element element) {
    return [=](Device& device) {
        const std::int64_t rows = shape.rows(), width = shape.width();
        const auto held = [&](std::int64_t columns, std::uint32_t seed) {
            return device.hold(exact(random_values(rows * columns, seed), element), rows, columns, element);
        };
        const ConstActivations qkv = held(3 * width, 1), out_gradient = held(width, 4);
        const Activations out = device.poisoned(rows, width, element),
                          qkv_gradient = device.poisoned(rows, 3 * width, element);
        const RotaryTables tables = rotary_tables(device, shape);
        float* log_sum = device.poisoned(rows * shape.heads);
        float* workspace = device.poisoned(device.backend.attention_workspace(shape, element));
        device.backend.attention(qkv, tables, shape, out, log_sum, workspace);
        // The backward pass of each backend starts from the same numbers.
        const Values same = exact(random_values(rows * width, 5), element);
        device.backend.attention_backward(out_gradient, qkv, tables, device.hold(same, rows, width, element),
                                          log_sum, shape, qkv_gradient, workspace);
        return Outputs{device.read(log_sum, rows * shape.heads), device.read(out), device.read(qkv_gradient)};
    };
}

TEST_P(AttentionTest, agreesForOddAndEvenSizes) {
    for (const Element element : elements)
        for (const std::int64_t context : {1, 5, 16, 33, 130, 200})
            for (const std::int64_t head_width : {2, 8, 10, 16, 24, 64})
                for (const std::int64_t heads : {1, 3}) {
                    if (context > 100 && (heads > 1 || head_width == 24)) continue;  // the reference is slow
                    SCOPED_TRACE(testing::Message() << name(element) << ", context " << context
                                                    << ", head width " << head_width << ", heads " << heads);
                    const AttentionShape shape{2, context, heads, head_width,
                                               1 / std::sqrt(float(head_width))};
                    // A score is a scaled sum of head_width products of rotated numbers, below 2 each, so the
                    // exponentials are off by score = 2 head_width sqrt(head_width) / 2 epsilon relatively at
                    // worst, and sums over the context by context / 2 more. In bfloat16 the rotated q and k
                    // are rounded first: head_width errors of random sign in a score, and the softmax and its
                    // gradients once more. Outputs are means of numbers below 1. A gradient's terms,
                    // p (dout.v - dout.out), are means too, of numbers below 2 sqrt(head_width); keys and
                    // values gather one from each later query, and everything is rounded when it is written.
                    const double score = head_width * std::sqrt(double(head_width));
                    const bool rounds = element == Element::bfloat16;
                    const double relative =
                        (score + context / 2.0 + 8) * epsilon + (rounds ? 2 * bfloat16_unit : 0);
                    const double reach = 2 * std::sqrt(double(head_width));
                    const double gathered = std::sqrt(double(context));
                    expect_agreement(attention_of(shape, element),
                                     {relative, relative, gathered * reach * relative});
                }
}

TEST_P(AttentionTest, firstTokenSeesOnlyItself) {
    const AttentionShape shape{1, 20, 2, 16, 0.25f};
    for (const Element element : elements) {
        Device device(*fast);
        const Values qkv = exact(random_values(20 * 96, 3), element);
        const Activations out = device.poisoned(20, 32, element);
        fast->attention(device.hold(qkv, 20, 96, element), rotary_tables(device, shape), shape, out,
                        device.poisoned(40), device.poisoned(fast->attention_workspace(shape, element)));
        const Values result = device.read(out);
        for (int column = 0; column < 32; ++column)
            EXPECT_EQ(result[column], qkv[64 + column]) << name(element);
    }
}

TEST_P(AttentionTest, laterTokensChangeNothingBefore) {
    const AttentionShape shape{1, 40, 1, 16, 0.25f};
    for (const Element element : elements) {
        const auto outputs = [&](float last) {
            Device device(*fast);
            Values qkv = random_values(40 * 48, 2);
            std::fill(qkv.end() - 48, qkv.end(), last);
            const Activations out = device.poisoned(40, 16, element);
            fast->attention(device.hold(qkv, 40, 48, element), rotary_tables(device, shape), shape, out,
                            device.poisoned(40), device.poisoned(fast->attention_workspace(shape, element)));
            Values result = device.read(out);
            result.resize(39 * 16);
            return result;
        };
        EXPECT_EQ(outputs(0), outputs(7)) << name(element);
    }
}

TEST_P(AttentionTest, equalScoresGiveTheRunningMean) {
    const std::int64_t context = 37;
    const AttentionShape shape{1, context, 1, 8, 1.0f};
    Device device(*fast);
    Values qkv(context * 24, 0), v = random_values(context * 8, 3);
    for (std::int64_t i = 0; i < context; ++i)
        std::copy_n(v.begin() + i * 8, 8, qkv.begin() + i * 24 + 16);
    const MutableMatrix out{device.poisoned(context * 8), context, 8};
    float* log_sum = device.poisoned(context);
    fast->attention(device.hold(qkv, context, 24, Element::float32), still_tables(device, shape), shape, out,
                    log_sum, device.poisoned(fast->attention_workspace(shape, Element::float32)));
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

TEST_P(AttentionTest, rotationsByTheSameAngleChangeNoScore) {
    // Rotary positions are relative: turning every q and k by one more angle leaves the scores alone.
    const AttentionShape shape{1, 24, 2, 16, 0.25f};
    const auto outputs = [&](double more) {
        Device device(*fast);
        Values cosines, sines;
        for (std::int64_t position = 0; position < shape.context; ++position)
            for (std::int64_t i = 0; i < shape.head_width / 2; ++i) {
                const double angle = (double(position) + more) * std::pow(0.5, double(i));
                cosines.push_back(float(std::cos(angle)));
                sines.push_back(float(std::sin(angle)));
            }
        const MutableMatrix out{device.poisoned(24 * 32), 24, 32};
        fast->attention(device.hold(random_values(24 * 96, 1), 24, 96, Element::float32),
                        {device.hold(cosines), device.hold(sines)}, shape, out, device.poisoned(48),
                        device.poisoned(fast->attention_workspace(shape, Element::float32)));
        return device.read(out.data, 24 * 32);
    };
    const Values here = outputs(0), there = outputs(5);
    for (std::size_t i = 0; i < here.size(); ++i)
        EXPECT_NEAR(here[i], there[i], 200 * epsilon);
}

}  // namespace

}  // namespace isogrid::kernels::test
