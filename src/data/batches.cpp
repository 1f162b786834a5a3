#include "data/batches.hpp"

#include <cassert>

namespace isogrid::data {

std::vector<Token> batch_tokens(std::span<const Token> training, const Sampler& sampler, std::int64_t context,
                                std::int64_t batch, std::int64_t first_step, std::int64_t end_step) {
    assert(first_step >= 0 && first_step <= end_step);
    std::vector<Token> tokens;
    tokens.reserve(static_cast<std::size_t>((end_step - first_step) * batch * (context + 1)));
    for (std::int64_t step = first_step; step < end_step; ++step)
        for (std::int64_t row = 0; row < batch; ++row) {
            const auto start = static_cast<std::size_t>(sampler.window_start(step, row));
            const auto window = training.subspan(start, static_cast<std::size_t>(context + 1));
            tokens.insert(tokens.end(), window.begin(), window.end());
        }
    return tokens;
}

}  // namespace isogrid::data
