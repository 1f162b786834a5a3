// The tokens of some sequences, where the backend's ops read them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/token_file.hpp"
#include "kernels/backend.hpp"

namespace isogrid::train {

class Windows {
  public:
    /// Room for `batches` times `sequences` windows of `context` inputs, each with its targets; `backend`
    /// must outlive this. Sequences are numbered through the batches.
    Windows(std::int64_t sequences, std::int64_t context, kernels::Backend& backend,
            std::int64_t batches = 1);

    /// Where the window of a sequence begins in the tokens.
    using Start = std::function<std::int64_t(std::int64_t sequence)>;

    /// Copies in a window of `tokens` for every sequence of the first `batches`, at once; targets are one
    /// token on.
    void fill(std::span<const data::Token> tokens, const Start& start, std::int64_t batches = 1);

    std::int64_t sequences() const { return sequences_; }  ///< of a batch
    /// Windows of `count` sequences of a batch from `first` on, (count, context), in the backend's memory.
    std::span<const kernels::TokenId> inputs(std::int64_t first, std::int64_t count) const;
    std::span<const kernels::TokenId> targets(std::int64_t first, std::int64_t count) const;

    /// Floats' worth of memory that it takes, here and on the backend together.
    static std::int64_t floats(std::int64_t sequences, std::int64_t context) {
        return 4 * sequences * context;
    }

  private:
    std::int64_t sequences_, context_;
    kernels::Backend* backend_;
    std::vector<kernels::TokenId> tokens_;  ///< by batch: inputs of its sequences, then their targets
    kernels::Storage on_backend_;
};

}  // namespace isogrid::train
