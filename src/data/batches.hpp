// The exact tokens that a range of steps trains on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/sampler.hpp"
#include "data/token_file.hpp"

namespace isogrid::data {

/// Steps first_step .. end_step - 1 (from 0) as an array (end_step - first_step, batch, context + 1),
/// row-major. Inputs of a row are its first `context` tokens, targets its last `context`. `context` and
/// `batch` are those that `sampler` was made with.
std::vector<Token> batch_tokens(std::span<const Token> training, const Sampler& sampler, std::int64_t context,
                                std::int64_t batch, std::int64_t first_step, std::int64_t end_step);

}  // namespace isogrid::data
