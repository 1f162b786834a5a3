// muP keeps activations and their updates at one size while models widen; the standard parametrization does
// not.
#include "train/coordinate_check.hpp"

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/write_token_file.hpp"
#include "kernels/cpu/cpu_backend.hpp"

namespace isogrid::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using train::CoordinateSizes;

constexpr std::int64_t vocabulary = 64;

data::TokenFile corpus() {
    std::vector<data::Token> tokens(8000);
    for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = static_cast<data::Token>((i * i / 7 + i * 5) % vocabulary);
    const auto path = std::filesystem::path(testing::TempDir()) / "coordinate_check_test.tok";
    const auto written =
        data::write_token_file(path, std::span(tokens).first(7000), std::span(tokens).subspan(7000), "bytes",
                               vocabulary, 7000, 1000);
    EXPECT_TRUE(written) << (written ? "" : base::to_string(written.error()));
    return data::TokenFile::open(path).value();
}

std::vector<CoordinateSizes> sizes_of(study::ParametrizationKind kind) {
    const data::TokenFile tokens = corpus();
    const auto backend = kernels::make_cpu_backend();
    std::vector<CoordinateSizes> sizes;
    for (const std::int64_t width : {64, 128, 256, 512}) {
        study::Trial trial;
        trial.shape = {.width = width,
                       .depth = 2,
                       .heads = width / 16,
                       .mlp_width = 8 * width / 3 / 8 * 8,
                       .vocabulary = vocabulary,
                       .context = 32};
        trial.parametrization.kind = kind;
        trial.parametrization.base_width = 64;
        trial.parametrization.initial_deviation = 0.06;
        trial.parametrization.embedding_multiplier = 10;
        trial.optimizer.learning_rate = 0.005;
        trial.batch = 8;
        trial.leaves = 1;
        trial.steps = 100;
        trial.seed = 1;
        sizes.push_back(train::coordinate_sizes(trial, tokens, *backend, 4));
    }
    return sizes;
}

TEST(CoordinateCheck, passesMup) {
    const auto sizes = sizes_of(study::ParametrizationKind::mup);
    EXPECT_THAT(train::coordinate_faults(sizes, "x"), IsEmpty());
}

TEST(CoordinateCheck, passesMinicpm) {
    const auto sizes = sizes_of(study::ParametrizationKind::minicpm);
    EXPECT_THAT(train::coordinate_faults(sizes, "x"), IsEmpty());
}

TEST(CoordinateCheck, failsTheStandardParametrization) {
    const auto sizes = sizes_of(study::ParametrizationKind::standard);
    const base::Faults faults = train::coordinate_faults(sizes, "jobs/x.toml: mup");
    ASSERT_THAT(faults, Not(IsEmpty()));
    EXPECT_THAT(base::to_string(faults), HasSubstr("updates of logits do not keep their size"));
    EXPECT_GT(train::coordinate_slope(sizes, &CoordinateSizes::logit_change), 0.5);
}

/// A validation part of so many sequences of one token, and its last target.
data::TokenFile corpus_of(std::int64_t sequences, std::int64_t context) {
    std::vector<data::Token> training(2000);
    for (std::size_t i = 0; i < training.size(); ++i)
        training[i] = static_cast<data::Token>(i * 5 % vocabulary);
    const std::vector<data::Token> validation(static_cast<std::size_t>(sequences * context + 1), 7);
    const auto path = std::filesystem::path(testing::TempDir()) /
                      ("coordinate_check_test_" + std::to_string(sequences) + ".tok");
    const auto written = data::write_token_file(path, training, validation, "bytes", vocabulary, 2000,
                                                sequences * context + 1);
    EXPECT_TRUE(written) << (written ? "" : base::to_string(written.error()));
    return data::TokenFile::open(path).value();
}

// All sequences are alike, so that two of them and four have the same mean squares.
TEST(CoordinateCheck, readsNoFurtherThanTheValidationPart) {
    study::Trial trial;
    trial.shape = {
        .width = 32, .depth = 1, .heads = 2, .mlp_width = 64, .vocabulary = vocabulary, .context = 32};
    trial.optimizer.learning_rate = 0.005;
    trial.batch = 4;
    trial.leaves = 1;
    trial.steps = 10;
    const auto backend = kernels::make_cpu_backend();
    const CoordinateSizes of_two = train::coordinate_sizes(trial, corpus_of(2, 32), *backend, 4),
                          of_four = train::coordinate_sizes(trial, corpus_of(4, 32), *backend, 4);
    EXPECT_NEAR(of_two.stream, of_four.stream, 1e-12 * of_four.stream);
    EXPECT_NEAR(of_two.logit_change, of_four.logit_change, 1e-12 * of_four.logit_change);
}

TEST(CoordinateCheck, saysWhereAWidthHasDiverged) {
    const double infinity = std::numeric_limits<double>::infinity();
    const base::Faults faults = train::coordinate_faults(
        {{.width = 64, .stream = 1, .stream_change = 0.1, .logit_change = 0.1},
         {.width = 128, .stream = 1, .stream_change = infinity, .logit_change = infinity}},
        "x");
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_THAT(base::to_string(faults), HasSubstr("width 128 diverged within its few steps"));
}

TEST(CoordinateCheck, takesTheSlopeInLogarithms) {
    std::vector<CoordinateSizes> sizes;
    for (const std::int64_t width : {10, 100, 1000})
        sizes.push_back({.width = width, .stream = std::pow(static_cast<double>(width), -0.7)});
    EXPECT_NEAR(train::coordinate_slope(sizes, &CoordinateSizes::stream), -0.7, 1e-12);
}

}  // namespace
}  // namespace isogrid::tests
