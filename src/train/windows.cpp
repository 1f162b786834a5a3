#include "train/windows.hpp"

#include <cassert>
#include <cstddef>

namespace isogrid::train {

Windows::Windows(std::int64_t sequences, std::int64_t context, kernels::Backend& backend,
                 std::int64_t batches)
    : sequences_(sequences),
      context_(context),
      backend_(&backend),
      tokens_(static_cast<std::size_t>(batches * 2 * sequences * context)),
      on_backend_(backend.allocate(tokens_.size() * sizeof(kernels::TokenId))) {}

void Windows::fill(std::span<const data::Token> tokens, const Start& start, std::int64_t batches) {
    const std::int64_t in_a_batch = sequences_ * context_;
    for (std::int64_t batch = 0; batch < batches; ++batch) {
        kernels::TokenId* input = tokens_.data() + batch * 2 * in_a_batch;
        kernels::TokenId* target = input + in_a_batch;
        for (std::int64_t sequence = 0; sequence < sequences_; ++sequence) {
            const data::Token* window = tokens.data() + start(batch * sequences_ + sequence);
            for (std::int64_t i = 0; i < context_; ++i) {
                *input++ = window[i];
                *target++ = window[i + 1];
            }
        }
    }
    backend_->copy_in(on_backend_.get(), tokens_.data(),
                      static_cast<std::size_t>(batches * 2 * in_a_batch) * sizeof(kernels::TokenId));
}

std::span<const kernels::TokenId> Windows::inputs(std::int64_t first, std::int64_t count) const {
    const std::int64_t batch = first / sequences_, in_batch = first % sequences_;
    assert(first >= 0 && in_batch + count <= sequences_);
    return {reinterpret_cast<const kernels::TokenId*>(on_backend_.get()) +
                (2 * batch * sequences_ + in_batch) * context_,
            static_cast<std::size_t>(count * context_)};
}

std::span<const kernels::TokenId> Windows::targets(std::int64_t first, std::int64_t count) const {
    const auto inputs_of_all = sequences_ * context_;
    return {inputs(first, count).data() + inputs_of_all, static_cast<std::size_t>(count * context_)};
}

}  // namespace isogrid::train
