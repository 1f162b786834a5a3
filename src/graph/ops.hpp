// Every operation that a graph can hold, forward and backward, as plain values.
//
// An op names the tensors it reads and writes and carries its constants; kernels/backend.hpp says what each
// computes.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "graph/tensor.hpp"
#include "kernels/backend.hpp"

namespace isogrid::graph {

using kernels::Write;

struct Embedding {  ///< rows of `table` picked by the step's input tokens
    TensorId table, out;
    float scale;
};
struct EmbeddingBackward {
    TensorId out_gradient, table_gradient;
    float scale;
    Write mode;
};

struct RmsNorm {
    TensorId x, gain, out, inverse_rms;
    float epsilon;
};
struct RmsNormBackward {
    TensorId out_gradient, x, gain, inverse_rms, x_gradient, gain_gradient;
    Write x_mode, gain_mode;
};

struct Linear {  ///< out = scale * x * weights^T
    TensorId x, weights, out;
    float scale;
};
struct LinearBackwardInput {
    TensorId out_gradient, weights, x_gradient;
    float scale;
    Write mode;
};
struct LinearBackwardWeights {
    TensorId out_gradient, x, weights_gradient;
    float scale;
    Write mode;
};

struct Rotary {
    TensorId x, cosines, sines, out;
    kernels::RotaryShape shape;
    bool inverse;
};

struct Attention {
    TensorId q, k, v, out, log_sum;
    kernels::AttentionShape shape;
};
struct AttentionBackward {
    TensorId out_gradient, q, k, v, out, log_sum, q_gradient, k_gradient, v_gradient;
    kernels::AttentionShape shape;
};

struct SwiGlu {
    TensorId gate, up, out;
};
struct SwiGluBackward {
    TensorId out_gradient, gate, up, gate_gradient, up_gradient;
};

struct Add {
    TensorId a, b, out;
};

struct CrossEntropy {  ///< against the step's target tokens; losses and log_sum are (1, rows)
    TensorId logits, losses, log_sum;
};
struct CrossEntropyBackward {
    TensorId logits, log_sum, logits_gradient;
    float scale;
};

using Op = std::variant<Embedding, RmsNorm, Linear, Rotary, Attention, SwiGlu, Add, CrossEntropy,  //
                        EmbeddingBackward, RmsNormBackward, LinearBackwardInput, LinearBackwardWeights,
                        AttentionBackward, SwiGluBackward, CrossEntropyBackward>;

std::string_view name(const Op& op);

/// Tensors whose values `op` needs. A gradient that is added to (Write::add) is read as well as written.
std::vector<TensorId> reads(const Op& op);
std::vector<TensorId> writes(const Op& op);

/// An output that may take over the memory of an input that nobody needs afterwards; invalid ids when there
/// is none.
struct InPlace {
    TensorId input, output;
};
InPlace in_place(const Op& op);

/// Floating point operations of `op` on tensors of these sizes: a multiply and an add are two; an
/// exponential, logarithm, root or division is one; masked attention scores are not computed and not counted.
double flops(const Op& op, const std::vector<Tensor>& tensors);

/// Bytes that `op` must move at least: every input read once, every output written once.
double bytes(const Op& op, const std::vector<Tensor>& tensors);

}  // namespace isogrid::graph
