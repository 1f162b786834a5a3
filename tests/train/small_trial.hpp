// A trial that trains in a moment, and its corpus.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "data/token_file.hpp"
#include "data/write_token_file.hpp"
#include "study/trial.hpp"

namespace isogrid::tests {

inline constexpr std::int64_t vocabulary = 12;

/// A corpus that counts in steps of 5 (mod 12), with one token in eight replaced: learnable, and not trivial.
inline data::TokenFile corpus() {
    std::vector<data::Token> tokens;
    for (std::uint32_t i = 0; i < 6000; ++i)
        tokens.push_back(static_cast<data::Token>((i % 8 == 3 ? i * i / 7 : i * 5) % vocabulary));
    const auto path = std::filesystem::path(testing::TempDir()) / "trainer_test.tok";
    const auto training = std::span(tokens).first(5000), validation = std::span(tokens).subspan(5000);
    const auto written = data::write_token_file(path, training, validation, "bytes", vocabulary, 5000, 1000);
    EXPECT_TRUE(written) << (written ? "" : base::to_string(written.error()));
    return data::TokenFile::open(path).value();
}

inline study::Trial small_trial() {
    study::Trial trial;
    trial.shape = {
        .width = 16, .depth = 1, .heads = 2, .mlp_width = 24, .vocabulary = vocabulary, .context = 16};
    trial.parametrization.base_width = 16;
    trial.parametrization.initial_deviation = 0.2;
    trial.optimizer.learning_rate = 0.02;
    trial.schedule.warmup_steps = 5;
    trial.batch = 8;
    trial.leaves = 4;
    trial.steps = 40;
    trial.seed = 3;
    trial.evaluation = {.tokens = 10 * 16,
                        .steps = {10, 20, 40}};  // ten sequences: the last chunk is not full
    return trial;
}

}  // namespace isogrid::tests
