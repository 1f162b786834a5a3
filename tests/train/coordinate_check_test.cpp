// muP keeps activations and their updates at one size while models widen; the standard parametrization does
// not.
#include "train/coordinate_check.hpp"

#include <cmath>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/token_writer.hpp"
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
    EXPECT_TRUE(written) << (written ? "" : study::to_string(written.error()));
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
    const study::Faults faults = train::coordinate_faults(sizes, "jobs/x.toml: mup");
    ASSERT_THAT(faults, Not(IsEmpty()));
    EXPECT_THAT(study::to_string(faults), HasSubstr("updates of logits do not keep their size"));
    EXPECT_GT(train::coordinate_slope(sizes, &CoordinateSizes::logit_change), 0.5);
}

TEST(CoordinateCheck, takesTheSlopeInLogarithms) {
    std::vector<CoordinateSizes> sizes;
    for (const std::int64_t width : {10, 100, 1000})
        sizes.push_back({.width = width, .stream = std::pow(static_cast<double>(width), -0.7)});
    EXPECT_NEAR(train::coordinate_slope(sizes, &CoordinateSizes::stream), -0.7, 1e-12);
}

}  // namespace
}  // namespace isogrid::tests
