#include "graph/ops.hpp"

#include <algorithm>

namespace isogrid::graph {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};

void also_if_added(std::vector<TensorId>& ids, Write mode, TensorId gradient) {
    if (mode == Write::add) ids.push_back(gradient);
}

/// Score entries that causal attention computes: for each head and sequence, position t sees t + 1 keys.
double visible_scores(const kernels::AttentionShape& shape) {
    const double context = static_cast<double>(shape.context);
    return static_cast<double>(shape.batch * shape.heads) * context * (context + 1) / 2;
}

}  // namespace

std::string_view name(const Op& op) {
    return std::visit(
        Overloaded{[](const Embedding&) { return "embedding"; }, [](const RmsNorm&) { return "rms_norm"; },
                   [](const Linear&) { return "linear"; }, [](const Rotary&) { return "rotary"; },
                   [](const Attention&) { return "attention"; }, [](const SwiGlu&) { return "swiglu"; },
                   [](const Add&) { return "add"; }, [](const CrossEntropy&) { return "cross_entropy"; },
                   [](const EmbeddingBackward&) { return "embedding_backward"; },
                   [](const RmsNormBackward&) { return "rms_norm_backward"; },
                   [](const LinearBackwardInput&) { return "linear_backward_input"; },
                   [](const LinearBackwardWeights&) { return "linear_backward_weights"; },
                   [](const AttentionBackward&) { return "attention_backward"; },
                   [](const SwiGluBackward&) { return "swiglu_backward"; },
                   [](const CrossEntropyBackward&) { return "cross_entropy_backward"; }},
        op);
}

std::vector<TensorId> reads(const Op& op) {
    using Ids = std::vector<TensorId>;
    return std::visit(Overloaded{[](const Embedding& o) { return Ids{o.table}; },
                                 [](const RmsNorm& o) {
                                     return Ids{o.x, o.gain};
                                 },
                                 [](const Linear& o) {
                                     return Ids{o.x, o.weights};
                                 },
                                 [](const Rotary& o) {
                                     return Ids{o.x, o.cosines, o.sines};
                                 },
                                 [](const Attention& o) {
                                     return Ids{o.q, o.k, o.v};
                                 },
                                 [](const SwiGlu& o) {
                                     return Ids{o.gate, o.up};
                                 },
                                 [](const Add& o) {
                                     return Ids{o.a, o.b};
                                 },
                                 [](const CrossEntropy& o) { return Ids{o.logits}; },
                                 [](const EmbeddingBackward& o) {
                                     Ids ids{o.out_gradient};
                                     also_if_added(ids, o.mode, o.table_gradient);
                                     return ids;
                                 },
                                 [](const RmsNormBackward& o) {
                                     Ids ids{o.out_gradient, o.x, o.gain, o.inverse_rms};
                                     also_if_added(ids, o.x_mode, o.x_gradient);
                                     also_if_added(ids, o.gain_mode, o.gain_gradient);
                                     return ids;
                                 },
                                 [](const LinearBackwardInput& o) {
                                     Ids ids{o.out_gradient, o.weights};
                                     also_if_added(ids, o.mode, o.x_gradient);
                                     return ids;
                                 },
                                 [](const LinearBackwardWeights& o) {
                                     Ids ids{o.out_gradient, o.x};
                                     also_if_added(ids, o.mode, o.weights_gradient);
                                     return ids;
                                 },
                                 [](const AttentionBackward& o) {
                                     return Ids{o.out_gradient, o.q, o.k, o.v, o.out, o.log_sum};
                                 },
                                 [](const SwiGluBackward& o) {
                                     return Ids{o.out_gradient, o.gate, o.up};
                                 },
                                 [](const CrossEntropyBackward& o) {
                                     return Ids{o.logits, o.log_sum};
                                 }},
                      op);
}

std::vector<TensorId> writes(const Op& op) {
    using Ids = std::vector<TensorId>;
    return std::visit(
        Overloaded{[](const Embedding& o) { return Ids{o.out}; },
                   [](const RmsNorm& o) {
                       return Ids{o.out, o.inverse_rms};
                   },
                   [](const Linear& o) { return Ids{o.out}; }, [](const Rotary& o) { return Ids{o.out}; },
                   [](const Attention& o) {
                       return Ids{o.out, o.log_sum};
                   },
                   [](const SwiGlu& o) { return Ids{o.out}; }, [](const Add& o) { return Ids{o.out}; },
                   [](const CrossEntropy& o) {
                       return Ids{o.losses, o.log_sum};
                   },
                   [](const EmbeddingBackward& o) { return Ids{o.table_gradient}; },
                   [](const RmsNormBackward& o) {
                       return Ids{o.x_gradient, o.gain_gradient};
                   },
                   [](const LinearBackwardInput& o) { return Ids{o.x_gradient}; },
                   [](const LinearBackwardWeights& o) { return Ids{o.weights_gradient}; },
                   [](const AttentionBackward& o) {
                       return Ids{o.q_gradient, o.k_gradient, o.v_gradient};
                   },
                   [](const SwiGluBackward& o) {
                       return Ids{o.gate_gradient, o.up_gradient};
                   },
                   [](const CrossEntropyBackward& o) { return Ids{o.logits_gradient}; }},
        op);
}

InPlace in_place(const Op& op) {
    return std::visit(Overloaded{[](const Rotary& o) {
                                     return InPlace{o.x, o.out};
                                 },
                                 [](const Add& o) {
                                     return InPlace{o.a, o.out};
                                 },
                                 [](const CrossEntropyBackward& o) {
                                     return InPlace{o.logits, o.logits_gradient};
                                 },
                                 [](const auto&) { return InPlace{}; }},
                      op);
}

double flops(const Op& op, const std::vector<Tensor>& tensors) {
    const auto size = [&](TensorId id) { return static_cast<double>(tensors[id.index].size()); };
    const auto columns = [&](TensorId id) { return static_cast<double>(tensors[id.index].columns); };
    const auto added = [&](Write mode, TensorId id) { return mode == Write::add ? size(id) : 0.0; };
    return std::visit(
        Overloaded{
            [&](const Embedding& o) { return size(o.out); },  // the scale
            [&](const EmbeddingBackward& o) { return 2 * size(o.out_gradient); },
            // Forward: square, sum, times inverse_rms, times gain; a root and a division a row are left to
            // the rows.
            [&](const RmsNorm& o) { return 4 * size(o.x) + 3 * size(o.inverse_rms); },
            // Normalized x, its product with the gain's gradient (2), the row's dot product (2), and the
            // result (4).
            [&](const RmsNormBackward& o) {
                return 9 * size(o.x) + 3 * size(o.inverse_rms) + added(o.x_mode, o.x_gradient);
            },
            [&](const Linear& o) { return 2 * size(o.out) * columns(o.x); },
            [&](const LinearBackwardInput& o) {
                return 2 * size(o.out_gradient) * columns(o.weights) + added(o.mode, o.x_gradient);
            },
            [&](const LinearBackwardWeights& o) {
                return 2 * size(o.out_gradient) * columns(o.x) + added(o.mode, o.weights_gradient);
            },
            [&](const Rotary& o) { return 3 * size(o.x); },
            // Two products of head_width multiply-adds a visible score; scale, maximum, exponential, sum,
            // division.
            [&](const Attention& o) {
                return visible_scores(o.shape) * (4.0 * static_cast<double>(o.shape.head_width) + 5);
            },
            // Five products (scores again, and four gradients), and the softmax's derivative; rowwise out .
            // gradient.
            [&](const AttentionBackward& o) {
                return visible_scores(o.shape) * (10.0 * static_cast<double>(o.shape.head_width) + 6) +
                       2 * size(o.out);
            },
            [&](const SwiGlu& o) { return 5 * size(o.out); },
            [&](const SwiGluBackward& o) { return 11 * size(o.out_gradient); },
            [&](const Add& o) { return size(o.out); },
            [&](const CrossEntropy& o) { return 4 * size(o.logits) + 3 * size(o.losses); },
            [&](const CrossEntropyBackward& o) { return 3 * size(o.logits) + size(o.log_sum); },
        },
        op);
}

double bytes(const Op& op, const std::vector<Tensor>& tensors) {
    double total = 0;
    for (const TensorId id : reads(op))
        total += static_cast<double>(tensors[id.index].size() * 4);
    for (const TensorId id : writes(op))
        total += static_cast<double>(tensors[id.index].size() * 4);
    return total;
}

}  // namespace isogrid::graph
