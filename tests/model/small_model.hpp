// A model small enough for the reference backend, and its loss on fixed tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/program.hpp"
#include "kernels/backend.hpp"
#include "model/llama.hpp"

namespace isogrid::tests {

inline constexpr std::int64_t small_batch = 2;

inline study::Shape small_shape(bool tied_head = false) {
    return {.width = 16,
            .depth = 2,
            .heads = 2,
            .mlp_width = 24,
            .vocabulary = 13,
            .context = 6,
            .tied_head = tied_head};
}

inline std::vector<kernels::TokenId> small_tokens(std::int64_t shift) {
    std::vector<kernels::TokenId> tokens;
    for (std::int64_t i = 0; i < small_batch * small_shape().context; ++i)
        tokens.push_back(static_cast<kernels::TokenId>((i * i * 3 + i + shift) % small_shape().vocabulary));
    return tokens;
}

/// Summed nats of `model` (forward only) on the fixed tokens.
inline double small_loss(const model::Llama& model, std::vector<float> weights) {
    const std::unique_ptr<kernels::Backend> backend = kernels::make_reference_backend();
    graph::Program program(model.graph, *backend);
    program.parameters()->pack(weights);
    program.run(small_tokens(0), small_tokens(1), {});
    return backend->sum(program.losses());
}

}  // namespace isogrid::tests
