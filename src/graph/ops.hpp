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
    TensorId rounded;  ///< x_gradient as products read it; invalid where none does
    Write x_mode, gain_mode;
};

struct Linear {  ///< out = x * weights^T, plus the addend where there is one
    TensorId x, weights, addend, out;
};
struct LinearBackwardInput {
    TensorId out_gradient, weights, x_gradient;
    Write mode;
};
struct LinearBackwardWeights {
    TensorId out_gradient, x, weights_gradient;
    Write mode;
};

struct Attention {
    TensorId qkv, cosines, sines, out, log_sum;
    kernels::AttentionShape shape;
};
struct AttentionBackward {
    TensorId out_gradient, qkv, cosines, sines, out, log_sum, qkv_gradient;
    kernels::AttentionShape shape;
};

struct SwiGlu {
    TensorId gate_up, out;
};
struct SwiGluBackward {
    TensorId out_gradient, gate_up, gate_up_gradient;
};

struct Add {
    TensorId a, b, out;
};

struct Round {  ///< to bfloat16
    TensorId x, out;
};

struct CrossEntropy {  ///< against the step's target tokens; losses are (1, rows)
    TensorId logits, losses;
    float logit_scale;
};
struct CrossEntropyGradient {  ///< the losses and their derivative in one go
    TensorId logits, losses, logits_gradient;
    float logit_scale, loss_scale;
};

/// The last product and the losses together, `logits.rows` rows at a time: no more logits than those exist
/// at once (graph/chunked_head.hpp).
struct ChunkedHead {
    TensorId x, weights, logits, losses;
    float logit_scale;
};
struct ChunkedHeadGradient {  ///< and both products of the logits' gradient
    TensorId x, weights, logits, losses, logits_gradient, weights_gradient, x_gradient;
    float logit_scale, loss_scale;
    Write weights_mode, x_mode;
};

using Op =
    std::variant<Embedding, RmsNorm, Linear, Attention, SwiGlu, Add, Round, CrossEntropy,  //
                 CrossEntropyGradient, ChunkedHead, ChunkedHeadGradient, EmbeddingBackward, RmsNormBackward,
                 LinearBackwardInput, LinearBackwardWeights, AttentionBackward, SwiGluBackward>;

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
