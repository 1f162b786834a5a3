#include "graph/program.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <utility>
#include <variant>

namespace isogrid::graph {
namespace {

std::int64_t workspace_floats(const Graph& graph, const kernels::Backend& backend) {
    std::int64_t most = 0;
    for (const Op& op : graph.ops())
        if (const auto* attention = std::get_if<Attention>(&op))
            most = std::max(most, backend.attention_workspace(attention->shape));
    return most;
}

std::int64_t constant_floats(const Graph& graph) {
    std::int64_t total = 0;
    for (const auto& [id, values] : graph.constants())
        total += aligned(graph.tensor(id).size());
    return total;
}

kernels::Storage allocate_floats(kernels::Backend& backend, std::int64_t floats) {
    return backend.allocate(static_cast<std::size_t>(std::max<std::int64_t>(floats, 1)) * sizeof(float));
}

float* floats(const kernels::Storage& storage) {
    return reinterpret_cast<float*>(storage.get());
}

/// Turns tensor ids into addresses and hands each op to the backend.
struct Executor {
    kernels::Backend& backend;
    std::span<const kernels::TokenId> inputs, targets;
    const Graph& graph;
    std::span<const std::int64_t> offsets;  ///< by tensor, inside its space
    std::array<float*, 4> bases;            ///< by Space
    float* workspace;

    float* vector(TensorId id) const {
        return bases[static_cast<std::size_t>(graph.tensor(id).space)] + offsets[id.index];
    }
    kernels::MutableMatrix matrix(TensorId id) const {
        return {vector(id), graph.tensor(id).rows, graph.tensor(id).columns};
    }

    void operator()(const Embedding& o) const {
        backend.embedding(inputs, matrix(o.table), o.scale, matrix(o.out));
    }
    void operator()(const EmbeddingBackward& o) const {
        backend.embedding_backward(inputs, matrix(o.out_gradient), o.scale, matrix(o.table_gradient), o.mode);
    }
    void operator()(const RmsNorm& o) const {
        backend.rms_norm(matrix(o.x), vector(o.gain), o.epsilon, matrix(o.out), vector(o.inverse_rms));
    }
    void operator()(const RmsNormBackward& o) const {
        backend.rms_norm_backward(matrix(o.out_gradient), matrix(o.x), vector(o.gain), vector(o.inverse_rms),
                                  matrix(o.x_gradient), o.x_mode, vector(o.gain_gradient), o.gain_mode);
    }
    void operator()(const Linear& o) const {
        backend.linear(matrix(o.x), matrix(o.weights), o.scale, matrix(o.out), Write::replace);
    }
    void operator()(const LinearBackwardInput& o) const {
        backend.linear_backward_input(matrix(o.out_gradient), matrix(o.weights), o.scale,
                                      matrix(o.x_gradient), o.mode);
    }
    void operator()(const LinearBackwardWeights& o) const {
        backend.linear_backward_weights(matrix(o.out_gradient), matrix(o.x), o.scale,
                                        matrix(o.weights_gradient), o.mode);
    }
    void operator()(const Rotary& o) const {
        backend.rotary(matrix(o.x), vector(o.cosines), vector(o.sines), o.shape, o.inverse, matrix(o.out));
    }
    void operator()(const Attention& o) const {
        backend.attention(matrix(o.q), matrix(o.k), matrix(o.v), o.shape, matrix(o.out), vector(o.log_sum),
                          workspace);
    }
    void operator()(const AttentionBackward& o) const {
        backend.attention_backward(matrix(o.out_gradient), matrix(o.q), matrix(o.k), matrix(o.v),
                                   matrix(o.out), vector(o.log_sum), o.shape, matrix(o.q_gradient),
                                   matrix(o.k_gradient), matrix(o.v_gradient), workspace);
    }
    void operator()(const SwiGlu& o) const { backend.swiglu(matrix(o.gate), matrix(o.up), matrix(o.out)); }
    void operator()(const SwiGluBackward& o) const {
        backend.swiglu_backward(matrix(o.out_gradient), matrix(o.gate), matrix(o.up), matrix(o.gate_gradient),
                                matrix(o.up_gradient));
    }
    void operator()(const Add& o) const { backend.add(matrix(o.a), matrix(o.b), matrix(o.out)); }
    void operator()(const CrossEntropy& o) const {
        backend.cross_entropy(matrix(o.logits), targets, vector(o.losses), vector(o.log_sum));
    }
    void operator()(const CrossEntropyBackward& o) const {
        backend.cross_entropy_backward(matrix(o.logits), targets, vector(o.log_sum), o.scale,
                                       matrix(o.logits_gradient));
    }
};

}  // namespace

Program::Program(Graph graph, kernels::Backend& backend)
    : graph_(std::move(graph)),
      backend_(&backend),
      layout_(lay_out_parameters(graph_)),
      offsets_(graph_.tensors().size(), -1) {
    MemoryPlan plan = plan_memory(graph_);
    arena_ = allocate_floats(backend, plan.arena_floats);
    constants_ = allocate_floats(backend, constant_floats(graph_));
    workspace_ = allocate_floats(backend, workspace_floats(graph_, backend));

    offsets_ = std::move(plan.offsets);
    std::int64_t constant_offset = 0;
    for (const auto& [id, values] : graph_.constants()) {
        offsets_[id.index] = constant_offset;
        backend.copy_in(floats(constants_) + constant_offset, values.data(), values.size() * sizeof(float));
        constant_offset += aligned(graph_.tensor(id).size());
    }
    for (std::size_t i = 0; i < graph_.parameters().size(); ++i) {
        const TensorId parameter = graph_.parameters()[i];
        offsets_[parameter.index] = layout_.offsets[i];
        const TensorId gradient = graph_.gradient_of(parameter);
        if (gradient.valid()) offsets_[gradient.index] = layout_.offsets[i];
    }
}

void Program::run(std::span<const kernels::TokenId> inputs, std::span<const kernels::TokenId> targets,
                  std::span<float> weights, std::span<float> gradients) {
    assert(static_cast<std::int64_t>(inputs.size()) == graph_.rows() && targets.size() == inputs.size());
    assert(static_cast<std::int64_t>(weights.size()) == layout_.floats);
    const Executor executor{
        *backend_,         inputs,
        targets,           graph_,
        offsets_,          {weights.data(), gradients.data(), floats(constants_), floats(arena_)},
        floats(workspace_)};
    for (const Op& op : graph_.ops()) {
        if (op_seconds_ == nullptr) {
            std::visit(executor, op);
            continue;
        }
        using Clock = std::chrono::steady_clock;
        const auto start = Clock::now();
        std::visit(executor, op);
        (*op_seconds_)[name(op)] += std::chrono::duration<double>(Clock::now() - start).count();
    }
}

std::span<const float> Program::losses() const {
    return {floats(arena_) + offsets_[graph_.losses().index], static_cast<std::size_t>(graph_.rows())};
}

std::int64_t program_floats(const Graph& graph, const kernels::Backend& backend) {
    return plan_memory(graph).arena_floats + constant_floats(graph) + workspace_floats(graph, backend);
}

}  // namespace isogrid::graph
