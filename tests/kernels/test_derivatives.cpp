// Every backward op of the reference against differences of its forward op. The fast backends are held to the
// reference by the other tests.
#include <cmath>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

/// A forward op from its inputs to its outputs.
using Forward = std::function<Values(const std::vector<Values>& inputs)>;

/// The scalar whose derivative is checked: a fixed combination of the outputs, in float64.
double combined(const Values& outputs, const Values& combination) {
    double total = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i)
        total += double(outputs[i]) * combination[i];
    return total;
}

/// The slope along one number of one input by a central difference of order 4.
double difference_slope(const Forward& forward, std::vector<Values> inputs, const Values& combination,
                        std::size_t input, std::size_t number) {
    const float step = 0x1p-6f, start = inputs[input][number];
    const auto at = [&](float offset) {
        inputs[input][number] = start + offset;
        return combined(forward(inputs), combination);
    };
    // Adding the step rounds `start` by up to epsilon / 2 of itself: epsilon / step = 1e-5 of the slope.
    return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * double(step));
}

class DerivativeTest : public testing::Test {
  protected:
    /// `gradients` are what backward says for each input, given the combination as the outputs' gradient.
    ///
    /// The outputs are float32: below 4 each, and so few that their roundings add up to less than 16 epsilon,
    /// 1.4e-4 after division by the step. The difference itself leaves step^4 times a fifth derivative, less.
    static void expect_derivatives(const Forward& forward, const std::vector<Values>& inputs,
                                   const Values& combination, const std::vector<Values>& gradients) {
        ASSERT_EQ(inputs.size(), gradients.size());
        for (std::size_t input = 0; input < inputs.size(); ++input) {
            ASSERT_EQ(inputs[input].size(), gradients[input].size());
            for (std::size_t number = 0; number < inputs[input].size(); ++number)
                EXPECT_NEAR(gradients[input][number],
                            difference_slope(forward, inputs, combination, input, number), 16 * epsilon * 64)
                    << "input " << input << ", number " << number;
        }
    }

    std::unique_ptr<Backend> backend = make_reference_backend();
};

TEST_F(DerivativeTest, embedding) {
    const std::vector<TokenId> ids{2, 0, 2};
    const Values combination = random_values(3 * 4, 9);
    std::vector<Values> inputs{random_values(3 * 4, 1)};
    const Forward forward = [&](const std::vector<Values>& in) {
        Values out(3 * 4);
        backend->embedding(ids, {in[0].data(), 3, 4}, 1.5f, {out.data(), 3, 4});
        return out;
    };
    Values gradient(3 * 4);
    backend->embedding_backward(ids, {combination.data(), 3, 4}, 1.5f, {gradient.data(), 3, 4},
                                Write::replace);
    expect_derivatives(forward, inputs, combination, {gradient});
}

TEST_F(DerivativeTest, rmsNorm) {
    const Values combination = random_values(2 * 5, 9);
    const std::vector<Values> inputs{random_values(2 * 5, 1), random_values(5, 2)};
    const auto forward_with = [&](const std::vector<Values>& in, Values& inverse) {
        Values out(2 * 5);
        backend->rms_norm({in[0].data(), 2, 5}, in[1].data(), 1e-5f, MutableMatrix{out.data(), 2, 5},
                          inverse.data());
        return out;
    };
    Values inverse(2), x_gradient(2 * 5), gain_gradient(5);
    forward_with(inputs, inverse);
    backend->rms_norm_backward({combination.data(), 2, 5}, {inputs[0].data(), 2, 5}, inputs[1].data(),
                               inverse.data(), {x_gradient.data(), 2, 5}, Write::replace,
                               gain_gradient.data(), Write::replace, {});
    expect_derivatives(
        [&](const std::vector<Values>& in) {
            Values unused(2);
            return forward_with(in, unused);
        },
        inputs, combination, {x_gradient, gain_gradient});
}

TEST_F(DerivativeTest, linear) {
    const Values combination = random_values(3 * 4, 9);
    const std::vector<Values> inputs{random_values(3 * 5, 1), random_values(4 * 5, 2),
                                     random_values(3 * 4, 3)};
    Values packed(backend->packed_floats(4, 5, Element::float32));
    const auto pack = [&](const Values& weights) {
        return backend->pack_weights({weights.data(), 4, 5}, Element::float32, packed.data());
    };
    const Forward forward = [&](const std::vector<Values>& in) {
        Values out(3 * 4);
        backend->linear(ConstMatrix{in[0].data(), 3, 5}, pack(in[1]), in[2].data(),
                        MutableMatrix{out.data(), 3, 4});
        return out;
    };
    Values x_gradient(3 * 5), weights_gradient(4 * 5);
    const ConstMatrix gradient{combination.data(), 3, 4};
    backend->linear_backward_input(gradient, pack(inputs[1]), MutableMatrix{x_gradient.data(), 3, 5},
                                   Write::replace);
    backend->linear_backward_weights(gradient, ConstMatrix{inputs[0].data(), 3, 5},
                                     {weights_gradient.data(), 4, 5}, Write::replace, nullptr);
    expect_derivatives(forward, inputs, combination, {x_gradient, weights_gradient, combination});
}

TEST_F(DerivativeTest, attention) {
    const AttentionShape shape{2, 3, 2, 4, 0.7f};
    const std::int64_t rows = shape.rows(), width = shape.width();
    const Values combination = random_values(rows * width, 9), angles = random_values(3 * 2, 5);
    Values cosines, sines;
    for (const float angle : angles) {
        cosines.push_back(std::cos(angle));
        sines.push_back(std::sin(angle));
    }
    const RotaryTables tables{cosines.data(), sines.data()};
    const std::vector<Values> inputs{random_values(rows * 3 * width, 1)};
    const auto forward_with = [&](const Values& qkv, Values& log_sum) {
        Values out(rows * width);
        backend->attention(ConstMatrix{qkv.data(), rows, 3 * width}, tables, shape,
                           MutableMatrix{out.data(), rows, width}, log_sum.data(), nullptr);
        return out;
    };
    Values log_sum(2 * 2 * 3), unused(2 * 2 * 3), gradient(rows * 3 * width);
    const Values out = forward_with(inputs[0], log_sum);
    backend->attention_backward(ConstMatrix{combination.data(), rows, width},
                                ConstMatrix{inputs[0].data(), rows, 3 * width}, tables,
                                ConstMatrix{out.data(), rows, width}, log_sum.data(), shape,
                                MutableMatrix{gradient.data(), rows, 3 * width}, nullptr);
    expect_derivatives([&](const std::vector<Values>& in) { return forward_with(in[0], unused); }, inputs,
                       combination, {gradient});
}

TEST_F(DerivativeTest, swiglu) {
    const Values combination = random_values(2 * 4, 9);
    Values gate_up = random_values(2 * 8, 1);
    for (float& value : gate_up)
        value *= 2;
    const Forward forward = [&](const std::vector<Values>& in) {
        Values out(2 * 4);
        backend->swiglu(ConstMatrix{in[0].data(), 2, 8}, MutableMatrix{out.data(), 2, 4});
        return out;
    };
    Values gradient(2 * 8);
    backend->swiglu_backward(ConstMatrix{combination.data(), 2, 4}, ConstMatrix{gate_up.data(), 2, 8},
                             MutableMatrix{gradient.data(), 2, 8});
    expect_derivatives(forward, {gate_up}, combination, {gradient});
}

TEST_F(DerivativeTest, crossEntropy) {
    const std::vector<TokenId> targets{4, 0, 2};
    const float logit_scale = 1.5f, loss_scale = 0.25f;
    const Values logits = random_values(3 * 5, 1);
    const Forward forward = [&](const std::vector<Values>& in) {
        Values losses(3);
        backend->cross_entropy({in[0].data(), 3, 5}, targets, logit_scale, losses.data());
        return losses;
    };
    Values spoiled = logits, losses(3), gradient(3 * 5);
    backend->cross_entropy_gradient({spoiled.data(), 3, 5}, targets, logit_scale, loss_scale, losses.data(),
                                    MutableMatrix{gradient.data(), 3, 5});
    EXPECT_EQ(losses, forward({logits}));
    expect_derivatives(forward, {logits}, Values(3, loss_scale), {gradient});
}

}  // namespace

}  // namespace isogrid::kernels::test
