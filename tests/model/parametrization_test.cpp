// The tables of docs/methods.md, "Parametrizations", row by row.
#include "model/parametrization.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "model/small_model.hpp"

namespace isogrid::tests {
namespace {

using model::Role;

study::Shape of_width(std::int64_t width) {
    study::Shape shape = small_shape();
    shape.width = width;
    shape.heads = width / 8;
    return shape;
}

TEST(Parametrization, mupEqualsStandardAtTheBaseWidth) {
    study::Parametrization mup, standard;
    mup.base_width = 16;
    standard.kind = study::ParametrizationKind::standard;
    for (const Role role : {Role::embedding, Role::hidden, Role::residual_output, Role::head, Role::gain}) {
        const model::TensorRule a = model::tensor_rule(role, of_width(16), mup),
                                b = model::tensor_rule(role, of_width(16), standard);
        EXPECT_EQ(a.initial_deviation, b.initial_deviation);
        EXPECT_EQ(a.learning_rate_multiplier, b.learning_rate_multiplier);
    }
    EXPECT_EQ(model::logit_scale(of_width(16), mup), model::logit_scale(of_width(16), standard));
}

TEST(Parametrization, mupScalesHiddenTensorsAndLogitsWithTheWidth) {
    study::Parametrization mup;
    mup.base_width = 16;
    mup.initial_deviation = 0.5;
    const study::Shape wide = of_width(64);  // four times the base
    EXPECT_EQ(model::tensor_rule(Role::hidden, wide, mup).initial_deviation, 0.25);
    EXPECT_EQ(model::tensor_rule(Role::hidden, wide, mup).learning_rate_multiplier, 0.25);
    EXPECT_EQ(model::tensor_rule(Role::embedding, wide, mup).initial_deviation, 0.5);
    EXPECT_EQ(model::tensor_rule(Role::embedding, wide, mup).learning_rate_multiplier, 1);
    EXPECT_EQ(model::tensor_rule(Role::head, wide, mup).initial_deviation, 0.5);
    EXPECT_EQ(model::tensor_rule(Role::head, wide, mup).learning_rate_multiplier, 1);
    EXPECT_EQ(model::logit_scale(wide, mup), 0.25);
    EXPECT_DOUBLE_EQ(model::tensor_rule(Role::residual_output, wide, mup).initial_deviation,
                     0.25 / std::sqrt(4.0));
}

// What a block adds is scaled by 1.4 / sqrt(layers), carried by deviation and learning rate of its last
// matrix; all else is muP.
TEST(Parametrization, minicpmScalesWhatBlocksAddWithTheDepth) {
    study::Parametrization minicpm, mup;
    minicpm.kind = study::ParametrizationKind::minicpm;
    minicpm.base_width = mup.base_width = 16;
    minicpm.initial_deviation = mup.initial_deviation = 0.5;
    study::Shape shape = of_width(64);  // four times the base
    for (const std::int64_t depth : {1, 4, 9}) {
        shape.depth = depth;
        const double scale = 1.4 / std::sqrt(static_cast<double>(depth));
        const model::TensorRule rule = model::tensor_rule(Role::residual_output, shape, minicpm);
        EXPECT_DOUBLE_EQ(rule.initial_deviation, scale * 0.25);
        EXPECT_DOUBLE_EQ(rule.learning_rate_multiplier, scale * 0.25);
        for (const Role role : {Role::embedding, Role::hidden, Role::head, Role::gain}) {
            const model::TensorRule a = model::tensor_rule(role, shape, minicpm),
                                    b = model::tensor_rule(role, shape, mup);
            EXPECT_EQ(a.initial_deviation, b.initial_deviation);
            EXPECT_EQ(a.learning_rate_multiplier, b.learning_rate_multiplier);
        }
    }
    EXPECT_EQ(model::logit_scale(shape, minicpm), 0.25);
    minicpm.residual_multiplier = 2.8;
    EXPECT_DOUBLE_EQ(model::tensor_rule(Role::residual_output, shape, minicpm).initial_deviation,
                     2.8 / 3 * 0.25);
}

TEST(Parametrization, standardKnowsNoWidth) {
    study::Parametrization standard;
    standard.kind = study::ParametrizationKind::standard;
    for (const Role role : {Role::embedding, Role::hidden, Role::residual_output, Role::head, Role::gain}) {
        const model::TensorRule a = model::tensor_rule(role, of_width(16), standard);
        const model::TensorRule b = model::tensor_rule(role, of_width(256), standard);
        EXPECT_EQ(a.initial_deviation, b.initial_deviation);
        EXPECT_EQ(a.learning_rate_multiplier, 1);
        EXPECT_EQ(b.learning_rate_multiplier, 1);
    }
}

TEST(Parametrization, gainsDoNotDecay) {
    EXPECT_FALSE(model::tensor_rule(Role::gain, of_width(16), {}).decays);
    EXPECT_TRUE(model::tensor_rule(Role::hidden, of_width(16), {}).decays);
}

}  // namespace
}  // namespace isogrid::tests
