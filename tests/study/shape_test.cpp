// Parameters and FLOPs of shapes against counts made by hand, and the ladder that shapes come from.
#include "study/shape.hpp"

#include <gtest/gtest.h>

#include "study/flops.hpp"
#include "study/ladder.hpp"

namespace isogrid::study {
namespace {

constexpr Shape small = {
    .width = 4, .depth = 3, .heads = 2, .mlp_width = 8, .vocabulary = 10, .context = 5, .tied_head = false};

Shape tied(Shape shape) {
    shape.tied_head = true;
    return shape;
}

TEST(Parameters, areCountedByPart) {
    const ParameterCounts counts = count_parameters(small);
    EXPECT_EQ(counts.embedding, 10 * 4);
    EXPECT_EQ(counts.head, 10 * 4);
    EXPECT_EQ(counts.attention, 3 * (4 * 4 + 4 * 4 + 4 * 4 + 4 * 4));
    EXPECT_EQ(counts.mlp, 3 * (4 * 8 + 4 * 8 + 8 * 4));
    EXPECT_EQ(counts.norm, 3 * (4 + 4) + 4);
    EXPECT_EQ(counts.non_embedding(), 192 + 288 + 28);
    EXPECT_EQ(counts.total(), 40 + 40 + 192 + 288 + 28);
}

TEST(Parameters, countATiedHeadOnce) {
    EXPECT_EQ(count_parameters(tied(small)).head, 0);
    EXPECT_EQ(count_parameters(tied(small)).total(), count_parameters(small).total() - 40);
}

// Llama 7B: 6,738,415,616 parameters (Touvron et al. 2023; the sum of its published checkpoint's tensors).
TEST(Parameters, agreeWithAPublishedModel) {
    const Shape llama = {.width = 4096,
                         .depth = 32,
                         .heads = 32,
                         .mlp_width = 11008,
                         .vocabulary = 32000,
                         .context = 2048,
                         .tied_head = false};
    EXPECT_EQ(count_parameters(llama).total(), 6'738'415'616);
    EXPECT_EQ(llama.head_width(), 128);
}

// FLOPs of one sequence, step by step: a matrix of w weights costs 2 w a token forwards and twice that
// backwards; token t (from 1) sees t keys, each with a product of `width` for the score and one for the
// output.
TEST(Flops, addUpOverASequence) {
    const double tokens = 5;
    const double weights = 192 + 288 + 40;  // attention, mlp, head
    double keys_seen = 0;
    for (int token = 1; token <= 5; ++token)
        keys_seen += token;
    const double scores = 3 * 3 * keys_seen * (2 * 4 + 2 * 4);  // forwards and backwards, layers, keys

    const FlopsPerToken flops = count_flops(small, 1234);
    EXPECT_EQ(flops.six_n, 6.0 * 588);
    EXPECT_EQ(flops.matmul * tokens, 3 * 2 * weights * tokens);
    EXPECT_EQ(flops.attention * tokens, 3 * 2 * weights * tokens + scores);
    EXPECT_EQ(flops.exact, 1234);
}

TEST(Flops, includeTheProductOfATiedHead) {
    EXPECT_EQ(count_flops(tied(small), 0).matmul, count_flops(small, 0).matmul);
    EXPECT_LT(count_flops(tied(small), 0).six_n, count_flops(small, 0).six_n);
}

TEST(Flops, areFoundByConvention) {
    const FlopsPerToken flops = {.six_n = 1, .matmul = 2, .attention = 3, .exact = 4};
    double expected = 1;
    for (const FlopConvention convention : flop_conventions)
        EXPECT_EQ(flops.under(convention), expected++) << name(convention);
}

TEST(Ladder, makesOneShapeAWidth) {
    const Ladder ladder = {.widths = {16, 96, 64},
                           .aspect_ratio = 32,
                           .head_width = 8,
                           .mlp_ratio = 8.0 / 3.0,
                           .context = 128,
                           .tied_head = true};
    const std::vector<Shape> shapes = ladder_shapes(ladder, 256);
    ASSERT_EQ(shapes.size(), 3);
    // Width 16 is half a layer deep, rounded up; 8/3 x 16 = 42.7 goes up to 48.
    EXPECT_EQ(shapes[0], (Shape{16, 1, 2, 48, 256, 128, true}));
    EXPECT_EQ(shapes[1], (Shape{96, 3, 12, 256, 256, 128, true}));
    EXPECT_EQ(shapes[2], (Shape{64, 2, 8, 176, 256, 128, true}));
    EXPECT_EQ(label(shapes[1]), "w96-d3-h12");
}

TEST(Ladder, hasAtLeastOneLayer) {
    const Ladder ladder = {.widths = {16}, .aspect_ratio = 1000};
    EXPECT_EQ(ladder_shapes(ladder, 256).front().depth, 1);
}

TEST(Ladder, mayKeepOneDepth) {
    const Ladder ladder = {.widths = {16, 512}, .depth = 3};
    for (const Shape& shape : ladder_shapes(ladder, 256))
        EXPECT_EQ(shape.depth, 3);
}

TEST(Ladder, takesARoundedRatioForTheExactOne) {
    Ladder exact = {.widths = {48, 96, 192, 384, 768, 1536}};
    Ladder rounded = exact;
    rounded.mlp_ratio = 2.6667;
    EXPECT_EQ(ladder_shapes(rounded, 256), ladder_shapes(exact, 256));
}

}  // namespace
}  // namespace isogrid::study
