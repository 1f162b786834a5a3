// Causal attention of the fast backends against the reference, and its closed forms.
#include <cmath>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

using AttentionTest = KernelTest;

INSTANTIATE_TEST_SUITE_P(Fast, AttentionTest, testing::ValuesIn(fast_backend_names()),
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

/// Columns of the rows of a matrix.
Values columns_of(const Values& matrix, std::int64_t columns, std::int64_t first, std::int64_t count) {
    Values some;
    for (std::int64_t i = 0; i < std::int64_t(matrix.size()); ++i)
        if (i % columns >= first && i % columns < first + count) some.push_back(matrix[i]);
    return some;
}

/// Its outputs: the log sums, the mixed values, the gradients of q, of k and of v.
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
        const Values gradient = device.read(qkv_gradient);
        return Outputs{device.read(log_sum, rows * shape.heads), device.read(out),
                       columns_of(gradient, 3 * width, 0, width),
                       columns_of(gradient, 3 * width, width, width),
                       columns_of(gradient, 3 * width, 2 * width, width)};
    };
}

/// How far log sums may be from the reference's. A score is a scaled sum of head_width products of rotated
/// numbers, below 2 each, so it is off by head_width sqrt(head_width) epsilon at worst, and sums over the
/// context by context / 2 epsilon more. In bfloat16 the rotated q and k are rounded: 2 head_width errors of
/// random sign, of 2^-8 / sqrt(3) of numbers of 1 / sqrt(3) times such numbers, scaled: below 2^-9 in the
/// mean, and less than eight times that in any score.
double log_sum_tolerance(const AttentionShape& shape, Element element) {
    const double score = double(shape.head_width) * std::sqrt(double(shape.head_width));
    return (score + double(shape.context) / 2 + 8) * epsilon + (element == Element::bfloat16 ? 0x1p-6 : 0);
}

/// The root mean square of an output's errors, as a share of that of its numbers.
///
/// In float32 a sum of n terms, rounded each time by half an epsilon of itself at most and with random sign,
/// is off by sqrt(n) / 2 epsilon. The terms run over the context, and before that over a head; the difference
/// dout.v - dout.out cancels to a fraction of its terms where there are few of them. In bfloat16 a rounding
/// is 2^-8 / sqrt(3) of a number in the mean. Four stand between qkv and out (q, k, softmax, out; scores are
/// below 1 in the mean, so the first two count less than whole), six on the way back (the score gradients and
/// a second product besides); independent, their squares add up.
double error_share(const AttentionShape& shape, Element element, bool backward) {
    if (element == Element::bfloat16) return std::sqrt((backward ? 6.0 : 4.0) / 3) * 0x1p-8;
    return (std::sqrt(double(shape.context)) / 2 + 8) * epsilon;
}

TEST_P(AttentionTest, agreesForOddAndEvenSizes) {
    for (const Element element : elements)
        for (const std::int64_t context : {1, 5, 16, 33, 130, 200})
            for (const std::int64_t head_width : {2, 8, 10, 16, 24, 32, 64, 72, 128})
                for (const std::int64_t heads : {1, 3}) {
                    // The reference is slow.
                    if (context > 100 && (heads > 1 || head_width == 24)) continue;
                    if (head_width > 64 && (heads > 1 || (context != 33 && context != 130))) continue;
                    SCOPED_TRACE(testing::Message() << name(element) << ", context " << context
                                                    << ", head width " << head_width << ", heads " << heads);
                    const AttentionShape shape{2, context, heads, head_width,
                                               1 / std::sqrt(float(head_width))};
                    const Op op = attention_of(shape, element);
                    Device plain(*reference);
                    const Outputs expected = op(plain);
                    // Errors grow with the numbers summed, which differ from token to token: a single one is
                    // held to eight times its share of the mean and of the number itself.
                    std::vector<double> absolute{log_sum_tolerance(shape, element)}, relative{0.0}, shares;
                    shares.push_back(absolute[0] / root_mean_square(expected[0]));
                    for (std::size_t output = 1; output < expected.size(); ++output) {
                        shares.push_back(error_share(shape, element, output > 1));
                        relative.push_back(8 * shares.back());
                        absolute.push_back(relative.back() * root_mean_square(expected[output]));
                    }
                    expect_agreement(op, absolute, relative);
                    expect_agreement_in_the_mean(op, shares);
                }
}

/// More sequences than a card packs at a time (kernels/cuda/sizes.hpp): each has the bits that it has alone.
TEST_P(AttentionTest, sequencesKnowNothingOfOneAnother) {
    const AttentionShape all{17, 2, 16, 128, 0.1f}, one{1, 2, 16, 128, 0.1f};
    const std::int64_t width = all.width(), rows = all.rows();
    const Element element = Element::bfloat16;
    const Values qkv = exact(random_values(3 * width * rows, 1), element),
                 out_gradient = exact(random_values(width * rows, 4), element);
    const auto outputs = [&](const AttentionShape& shape, std::int64_t first_row) {
        Device device(*fast);
        const auto held = [&](const Values& values, std::int64_t columns) {
            const auto* begin = values.data() + first_row * columns;
            return device.hold(Values(begin, begin + shape.rows() * columns), shape.rows(), columns, element);
        };
        const ConstActivations some = held(qkv, 3 * width), gradient = held(out_gradient, width);
        const Activations out = device.poisoned(shape.rows(), width, element),
                          qkv_gradient = device.poisoned(shape.rows(), 3 * width, element);
        const RotaryTables tables = rotary_tables(device, shape);
        float* log_sum = device.poisoned(shape.rows() * shape.heads);
        float* workspace = device.poisoned(fast->attention_workspace(shape, element));
        fast->attention(some, tables, shape, out, log_sum, workspace);
        fast->attention_backward(gradient, some, tables, out, log_sum, shape, qkv_gradient, workspace);
        return Outputs{device.read(log_sum, shape.rows() * shape.heads), device.read(out),
                       device.read(qkv_gradient)};
    };
    const Outputs together = outputs(all, 0);
    for (const std::int64_t sequence : {0, 14, 15, 16}) {
        const Outputs alone = outputs(one, sequence * one.context);
        for (std::size_t i = 0; i < alone.size(); ++i) {
            const auto size = static_cast<std::int64_t>(alone[i].size());
            const auto begin = together[i].begin() + sequence * size;
            EXPECT_EQ(Values(begin, begin + size), alone[i]) << "output " << i << ", sequence " << sequence;
        }
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

TEST_P(AttentionTest, powersOfTwoAreAsPreciseAsTheElementNeeds) {
    // Two tokens a sequence, the second one's scores 0 and -z ln 2: its log sum is log(1 + 2^-z). In bfloat16
    // 2^-z is the kernels' rough one, within 1.02e-4 of itself (kept in 8 bits it is off by 38 times that);
    // in float32 it is within two units in the last place, and rounding the score is z units more. The log
    // sum is below 0.7 and within two units in the last place; on the way back here that counts twice.
    const std::int64_t sequences = 256, rows = 2 * sequences;
    const AttentionShape shape{sequences, 2, 1, 2, float(std::log(2.0))};
    for (const Element element : elements) {
        Device device(*fast);
        Values qkv(rows * 6, 0);
        const auto z = [](std::int64_t sequence) { return float(sequence) / 32; };  // exact in bfloat16
        for (std::int64_t sequence = 0; sequence < sequences; ++sequence) {
            qkv[(2 * sequence + 1) * 6] = -z(sequence);  // q of the second token
            qkv[(2 * sequence + 1) * 6 + 2] = 1;         // its k
        }
        float* log_sum = device.poisoned(rows);
        fast->attention(device.hold(qkv, rows, 6, element), still_tables(device, shape), shape,
                        device.poisoned(rows, 2, element), log_sum,
                        device.poisoned(fast->attention_workspace(shape, element)));
        const Values log_sums = device.read(log_sum, rows);
        for (std::int64_t sequence = 0; sequence < sequences; ++sequence) {
            const double power = std::exp2(-double(z(sequence)));
            const double relative = element == Element::bfloat16 ? 1.02e-4 : (2 + z(sequence)) * epsilon;
            EXPECT_NEAR(std::expm1(double(log_sums[2 * sequence + 1])), power, relative * power + 4 * epsilon)
                << name(element) << ", z " << z(sequence);
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
