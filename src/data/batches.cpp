#include "data/batches.hpp"

#include <cassert>

namespace isogrid::data {

std::vector<Token> batch_tokens(std::span<const Token> training, const Sampler& sampler, std::int64_t context,
                                std::int64_t first, std::int64_t end) {
    assert(first >= 0 && first <= end);
    std::vector<Token> tokens;
    tokens.reserve(static_cast<std::size_t>((end - first) * (context + 1)));
    for (std::int64_t sequence = first; sequence < end; ++sequence) {
        const auto start = static_cast<std::size_t>(sampler.window_start(sequence));
        const auto window = training.subspan(start, static_cast<std::size_t>(context + 1));
        tokens.insert(tokens.end(), window.begin(), window.end());
    }
    return tokens;
}

}  // namespace isogrid::data
