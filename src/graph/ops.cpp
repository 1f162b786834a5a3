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
                   [](const Linear&) { return "linear"; }, [](const Attention&) { return "attention"; },
                   [](const SwiGlu&) { return "swiglu"; }, [](const Add&) { return "add"; },
                   [](const Round&) { return "round"; }, [](const CrossEntropy&) { return "cross_entropy"; },
                   [](const CrossEntropyGradient&) { return "cross_entropy_gradient"; },
                   [](const ChunkedHead&) { return "chunked_head"; },
                   [](const ChunkedHeadGradient&) { return "chunked_head_gradient"; },
                   [](const EmbeddingBackward&) { return "embedding_backward"; },
                   [](const RmsNormBackward&) { return "rms_norm_backward"; },
                   [](const LinearBackwardInput&) { return "linear_backward_input"; },
                   [](const LinearBackwardWeights&) { return "linear_backward_weights"; },
                   [](const AttentionBackward&) { return "attention_backward"; },
                   [](const SwiGluBackward&) { return "swiglu_backward"; }},
        op);
}

std::vector<TensorId> reads(const Op& op) {
    using Ids = std::vector<TensorId>;
    return std::visit(Overloaded{[](const Embedding& o) { return Ids{o.table}; },
                                 [](const RmsNorm& o) {
                                     return Ids{o.x, o.gain};
                                 },
                                 [](const Linear& o) {
                                     Ids ids{o.x, o.weights};
                                     if (o.addend.valid()) ids.push_back(o.addend);
                                     return ids;
                                 },
                                 [](const Attention& o) {
                                     return Ids{o.qkv, o.cosines, o.sines};
                                 },
                                 [](const SwiGlu& o) { return Ids{o.gate_up}; },
                                 [](const Add& o) {
                                     return Ids{o.a, o.b};
                                 },
                                 [](const Round& o) { return Ids{o.x}; },
                                 [](const CrossEntropy& o) { return Ids{o.logits}; },
                                 [](const CrossEntropyGradient& o) { return Ids{o.logits}; },
                                 [](const ChunkedHead& o) {
                                     return Ids{o.x, o.weights};
                                 },
                                 [](const ChunkedHeadGradient& o) {
                                     Ids ids{o.x, o.weights};
                                     also_if_added(ids, o.weights_mode, o.weights_gradient);
                                     also_if_added(ids, o.x_mode, o.x_gradient);
                                     return ids;
                                 },
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
                                     return Ids{o.out_gradient, o.qkv, o.cosines, o.sines, o.out, o.log_sum};
                                 },
                                 [](const SwiGluBackward& o) {
                                     return Ids{o.out_gradient, o.gate_up};
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
                   [](const Linear& o) { return Ids{o.out}; },
                   [](const Attention& o) {
                       return Ids{o.out, o.log_sum};
                   },
                   [](const SwiGlu& o) { return Ids{o.out}; }, [](const Add& o) { return Ids{o.out}; },
                   [](const Round& o) { return Ids{o.out}; },
                   [](const CrossEntropy& o) { return Ids{o.losses}; },
                   [](const CrossEntropyGradient& o) {
                       return Ids{o.losses, o.logits_gradient};
                   },
                   [](const ChunkedHead& o) {
                       return Ids{o.logits, o.losses};
                   },
                   [](const ChunkedHeadGradient& o) {
                       return Ids{o.logits, o.losses, o.logits_gradient, o.weights_gradient, o.x_gradient};
                   },
                   [](const EmbeddingBackward& o) { return Ids{o.table_gradient}; },
                   [](const RmsNormBackward& o) {
                       Ids ids{o.x_gradient, o.gain_gradient};
                       if (o.rounded.valid()) ids.push_back(o.rounded);
                       return ids;
                   },
                   [](const LinearBackwardInput& o) { return Ids{o.x_gradient}; },
                   [](const LinearBackwardWeights& o) { return Ids{o.weights_gradient}; },
                   [](const AttentionBackward& o) { return Ids{o.qkv_gradient}; },
                   [](const SwiGluBackward& o) { return Ids{o.gate_up_gradient}; }},
        op);
}

InPlace in_place(const Op& op) {
    return std::visit(Overloaded{[](const Linear& o) {  // the product reads x to its end
                                     return o.addend == o.x ? InPlace{} : InPlace{o.addend, o.out};
                                 },
                                 [](const Add& o) {
                                     return InPlace{o.a, o.out};
                                 },
                                 [](const CrossEntropyGradient& o) {
                                     return InPlace{o.logits, o.logits_gradient};
                                 },
                                 [](const ChunkedHeadGradient& o) {
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
            // Square, sum, times inverse_rms, times gain; and three a row: a division by the width, a root, a
            // division.
            [&](const RmsNorm& o) { return 4 * size(o.x) + 3 * size(o.inverse_rms); },
            // Normalized x, its product with the gain's gradient (2), the row's dot product (2), and the
            // result (4).
            [&](const RmsNormBackward& o) {
                return 9 * size(o.x) + 3 * size(o.inverse_rms) + added(o.x_mode, o.x_gradient);
            },
            [&](const Linear& o) {
                return 2 * size(o.out) * columns(o.x) + (o.addend.valid() ? size(o.out) : 0.0);
            },
            [&](const LinearBackwardInput& o) {
                return 2 * size(o.out_gradient) * columns(o.weights) + added(o.mode, o.x_gradient);
            },
            [&](const LinearBackwardWeights& o) {
                return 2 * size(o.out_gradient) * columns(o.x) + added(o.mode, o.weights_gradient);
            },
            // Rotation of q and k (3 a number); two products of head_width multiply-adds a visible score;
            // scale, maximum, exponential, sum, division.
            [&](const Attention& o) {
                return 3 * size(o.qkv) * 2 / 3 +
                       visible_scores(o.shape) * (4.0 * static_cast<double>(o.shape.head_width) + 5);
            },
            // Rotation again, and back; five products (scores again, and four gradients), and the softmax's
            // derivative; rowwise out . gradient.
            [&](const AttentionBackward& o) {
                return 2 * 3 * size(o.qkv) * 2 / 3 +
                       visible_scores(o.shape) * (10.0 * static_cast<double>(o.shape.head_width) + 6) +
                       2 * size(o.out);
            },
            [&](const SwiGlu& o) { return 5 * size(o.out); },
            [&](const SwiGluBackward& o) { return 11 * size(o.out_gradient); },
            [&](const Add& o) { return size(o.out); },
            [&](const Round&) { return 0.0; },
            // Scale, maximum, difference, exponential, sum; the gradient also takes its share of each.
            [&](const CrossEntropy& o) { return 5 * size(o.logits) + 3 * size(o.losses); },
            [&](const CrossEntropyGradient& o) { return 6 * size(o.logits) + 6 * size(o.losses); },
            // As the ops that they stand for; adding up the chunks' gradients of weights is not counted.
            [&](const ChunkedHead& o) {
                return size(o.losses) * columns(o.logits) * (2 * columns(o.x) + 5) + 3 * size(o.losses);
            },
            [&](const ChunkedHeadGradient& o) {
                return size(o.losses) * columns(o.logits) * (6 * columns(o.x) + 6) + 6 * size(o.losses) +
                       added(o.weights_mode, o.weights_gradient) + added(o.x_mode, o.x_gradient);
            },
        },
        op);
}

double bytes(const Op& op, const std::vector<Tensor>& tensors) {
    double total = 0;
    for (const TensorId id : reads(op))
        total += static_cast<double>(tensors[id.index].floats() * 4);
    for (const TensorId id : writes(op))
        total += static_cast<double>(tensors[id.index].floats() * 4);
    return total;
}

}  // namespace isogrid::graph
