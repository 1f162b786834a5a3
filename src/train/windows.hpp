// From stored tokens to the rows of a step.
#pragma once

#include <cstdint>
#include <span>

#include "data/token_file.hpp"
#include "kernels/backend.hpp"

namespace isogrid::train {

/// Puts the window of `context` inputs that begins at `start` into row `row` of a step: targets are one token
/// on.
inline void copy_window(std::span<const data::Token> tokens, std::int64_t start, std::int64_t context,
                        std::int64_t row, std::span<kernels::TokenId> inputs,
                        std::span<kernels::TokenId> targets) {
    for (std::int64_t i = 0; i < context; ++i) {
        inputs[row * context + i] = tokens[start + i];
        targets[row * context + i] = tokens[start + i + 1];
    }
}

}  // namespace isogrid::train
