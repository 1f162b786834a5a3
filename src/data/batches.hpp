// The exact tokens that a range of steps trains on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/sampler.hpp"
#include "data/token_file.hpp"

namespace isogrid::data {

/// Sequences first .. end - 1 (from 0) of a trial as an array (end - first, context + 1), row-major. Inputs
/// of a row are its first `context` tokens, targets its last `context`. `context` is the one that `sampler`
/// was made with.
std::vector<Token> batch_tokens(std::span<const Token> training, const Sampler& sampler, std::int64_t context,
                                std::int64_t first, std::int64_t end);

}  // namespace isogrid::data
