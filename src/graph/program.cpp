#include "graph/program.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <variant>

namespace isogrid::graph {
namespace {

std::int64_t workspace_floats(const Graph& graph, const kernels::Backend& backend) {
    std::int64_t most = 0;
    const auto for_weights = [&](TensorId out_gradient, TensorId x) {
        const Tensor& gradient = graph.tensor(out_gradient);
        most = std::max(most, backend.linear_workspace(gradient.rows, gradient.columns,
                                                       graph.tensor(x).columns, graph.element()));
    };
    for (const Op& op : graph.ops()) {
        if (const auto* attention = std::get_if<Attention>(&op))
            most = std::max(most, backend.attention_workspace(attention->shape, graph.element()));
        if (const auto* linear = std::get_if<LinearBackwardWeights>(&op))
            for_weights(linear->out_gradient, linear->x);
        if (const auto* head = std::get_if<ChunkedHeadGradient>(&op))
            for_weights(head->logits_gradient, head->x);
    }
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

/// `count` of a matrix's rows, from `first` on.
template <class Void>
kernels::ActivationView<Void> rows_of(kernels::ActivationView<Void> matrix, std::int64_t first,
                                      std::int64_t count) {
    using Byte = std::conditional_t<std::is_const_v<Void>, const std::byte, std::byte>;
    const std::int64_t floats_before = kernels::floats_of(first, matrix.columns, matrix.element);
    return {static_cast<Byte*>(matrix.data) + floats_before * std::int64_t{sizeof(float)}, count,
            matrix.columns, matrix.element};
}

/// Turns tensor ids into addresses and hands each op to the backend.
struct Executor {
    kernels::Backend& backend;
    std::span<const kernels::TokenId> inputs, targets;
    const Graph& graph;
    std::span<const std::int64_t> offsets;  ///< by tensor, inside its space
    const PackedParameters& parameters;
    std::array<float*, 3> bases;  ///< by Space, from parameter_gradient on
    float* workspace;
    Write gradient_mode;

    const float* read(TensorId id) const {
        if (graph.tensor(id).space == Space::parameter)
            return parameters.weights().data() + offsets[id.index];
        return written(id);
    }
    float* written(TensorId id) const {
        assert(graph.tensor(id).space != Space::parameter);
        return bases[static_cast<std::size_t>(graph.tensor(id).space) - 1] + offsets[id.index];
    }
    kernels::ConstMatrix matrix(TensorId id) const {
        return {read(id), graph.tensor(id).rows, graph.tensor(id).columns};
    }
    kernels::MutableMatrix written_matrix(TensorId id) const {
        return {written(id), graph.tensor(id).rows, graph.tensor(id).columns};
    }
    kernels::ConstActivations activations(TensorId id) const {
        const Tensor& tensor = graph.tensor(id);
        return {read(id), tensor.rows, tensor.columns, tensor.element};
    }
    kernels::Activations written_activations(TensorId id) const {
        const Tensor& tensor = graph.tensor(id);
        return {written(id), tensor.rows, tensor.columns, tensor.element};
    }
    kernels::PackedWeights packed(TensorId id) const {
        return parameters.packed(offsets[id.index], graph.tensor(id).rows);
    }
    /// How a parameter's gradient is written that the graph writes by `mode`.
    Write of_gradient(Write mode) const { return gradient_mode == Write::add ? Write::add : mode; }

    /// Calls run(first row, rows) for as many rows at a time as `chunk` has.
    template <class Run>
    void in_chunks(TensorId chunk, Run run) const {
        const std::int64_t rows = graph.rows(), at_once = graph.tensor(chunk).rows;
        for (std::int64_t first = 0; first < rows; first += at_once)
            run(first, std::min(at_once, rows - first));
    }
    kernels::MutableMatrix first_rows(TensorId id, std::int64_t rows) const {
        return {written(id), rows, graph.tensor(id).columns};
    }
    std::span<const kernels::TokenId> targets_of(std::int64_t first, std::int64_t rows) const {
        return targets.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(rows));
    }

    void operator()(const Embedding& o) const {
        backend.embedding(inputs, matrix(o.table), o.scale, written_matrix(o.out));
    }
    void operator()(const EmbeddingBackward& o) const {
        backend.embedding_backward(inputs, matrix(o.out_gradient), o.scale, written_matrix(o.table_gradient),
                                   of_gradient(o.mode));
    }
    void operator()(const RmsNorm& o) const {
        backend.rms_norm(matrix(o.x), read(o.gain), o.epsilon, written_activations(o.out),
                         written(o.inverse_rms));
    }
    void operator()(const RmsNormBackward& o) const {
        backend.rms_norm_backward(
            matrix(o.out_gradient), matrix(o.x), read(o.gain), read(o.inverse_rms),
            written_matrix(o.x_gradient), o.x_mode, written(o.gain_gradient), of_gradient(o.gain_mode),
            o.rounded.valid() ? written_activations(o.rounded) : kernels::Activations());
    }
    void operator()(const Linear& o) const {
        backend.linear(activations(o.x), packed(o.weights), o.addend.valid() ? read(o.addend) : nullptr,
                       written_activations(o.out));
    }
    void operator()(const LinearBackwardInput& o) const {
        backend.linear_backward_input(activations(o.out_gradient), packed(o.weights),
                                      written_activations(o.x_gradient), o.mode);
    }
    void operator()(const LinearBackwardWeights& o) const {
        backend.linear_backward_weights(activations(o.out_gradient), activations(o.x),
                                        written_matrix(o.weights_gradient), of_gradient(o.mode), workspace);
    }
    void operator()(const Attention& o) const {
        backend.attention(activations(o.qkv), {read(o.cosines), read(o.sines)}, o.shape,
                          written_activations(o.out), written(o.log_sum), workspace);
    }
    void operator()(const AttentionBackward& o) const {
        backend.attention_backward(activations(o.out_gradient), activations(o.qkv),
                                   {read(o.cosines), read(o.sines)}, activations(o.out), read(o.log_sum),
                                   o.shape, written_activations(o.qkv_gradient), workspace);
    }
    void operator()(const SwiGlu& o) const {
        backend.swiglu(activations(o.gate_up), written_activations(o.out));
    }
    void operator()(const SwiGluBackward& o) const {
        backend.swiglu_backward(activations(o.out_gradient), activations(o.gate_up),
                                written_activations(o.gate_up_gradient));
    }
    void operator()(const Add& o) const { backend.add(matrix(o.a), matrix(o.b), written_matrix(o.out)); }
    void operator()(const Round& o) const { backend.round(matrix(o.x), written_activations(o.out)); }
    void operator()(const CrossEntropy& o) const {
        backend.cross_entropy(matrix(o.logits), targets, o.logit_scale, written(o.losses));
    }
    void operator()(const CrossEntropyGradient& o) const {
        backend.cross_entropy_gradient(written_matrix(o.logits), targets, o.logit_scale, o.loss_scale,
                                       written(o.losses), written_activations(o.logits_gradient));
    }
    void operator()(const ChunkedHead& o) const {
        in_chunks(o.logits, [&](std::int64_t first, std::int64_t rows) {
            const kernels::MutableMatrix logits = first_rows(o.logits, rows);
            backend.linear(rows_of(activations(o.x), first, rows), packed(o.weights), nullptr, logits);
            backend.cross_entropy(logits, targets_of(first, rows), o.logit_scale, written(o.losses) + first);
        });
    }
    void operator()(const ChunkedHeadGradient& o) const {
        in_chunks(o.logits, [&](std::int64_t first, std::int64_t rows) {
            const kernels::MutableMatrix logits = first_rows(o.logits, rows);
            const kernels::ConstActivations x = rows_of(activations(o.x), first, rows);
            const kernels::Activations gradient = rows_of(written_activations(o.logits_gradient), 0, rows);
            backend.linear(x, packed(o.weights), nullptr, logits);
            backend.cross_entropy_gradient(logits, targets_of(first, rows), o.logit_scale, o.loss_scale,
                                           written(o.losses) + first, gradient);
            backend.linear_backward_weights(gradient, x, written_matrix(o.weights_gradient),
                                            first == 0 ? of_gradient(o.weights_mode) : Write::add, workspace);
            backend.linear_backward_input(gradient, packed(o.weights),
                                          rows_of(written_activations(o.x_gradient), first, rows), o.x_mode);
        });
    }
};

/// By op, the lowest place in the parameters' layout from which on no later op writes a gradient.
std::vector<std::int64_t> places_of_final_gradients(const Graph& graph,
                                                    std::span<const std::int64_t> offsets) {
    std::vector<std::int64_t> final_from(graph.ops().size());
    std::int64_t written = 0;  // up to here, by later ops
    for (std::size_t i = graph.ops().size(); i-- > 0;) {
        final_from[i] = written;
        for (const TensorId id : writes(graph.ops()[i]))
            if (graph.tensor(id).space == Space::parameter_gradient)
                written = std::max(written, offsets[id.index] + graph.tensor(id).size());
    }
    return final_from;
}

}  // namespace

Program::Program(Graph graph, kernels::Backend& backend, std::shared_ptr<PackedParameters> parameters)
    : graph_(std::move(graph)),
      backend_(&backend),
      layout_(lay_out_parameters(graph_)),
      parameters_(parameters ? std::move(parameters) : std::make_shared<PackedParameters>(graph_, backend)),
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
    for (const auto& [parameter, offset] : layout_.offset_of) {
        offsets_[parameter.index] = offset;
        const TensorId gradient = graph_.gradient_of(parameter);
        if (gradient.valid()) offsets_[gradient.index] = offset;
    }
    final_from_ = places_of_final_gradients(graph_, offsets_);
}

void Program::run(std::span<const kernels::TokenId> inputs, std::span<const kernels::TokenId> targets,
                  std::span<float> gradients, kernels::Write gradient_mode, const GradientsFinal& on_final) {
    assert(static_cast<std::int64_t>(inputs.size()) == graph_.rows() && targets.size() == inputs.size());
    assert(static_cast<std::int64_t>(parameters_->weights().size()) == layout_.floats);
    const Executor executor{*backend_,
                            inputs,
                            targets,
                            graph_,
                            offsets_,
                            *parameters_,
                            {gradients.data(), floats(constants_), floats(arena_)},
                            floats(workspace_),
                            gradient_mode};
    std::int64_t final_from = layout_.floats;
    for (std::size_t i = 0; i < graph_.ops().size(); ++i) {
        if (stopwatch_) stopwatch_->mark();
        std::visit(executor, graph_.ops()[i]);
        if (on_final && final_from_[i] < final_from) on_final(final_from = final_from_[i]);
    }
    if (!stopwatch_) return;
    stopwatch_->mark();
    const std::vector<double> seconds = stopwatch_->laps();
    for (std::size_t i = 0; i < seconds.size(); ++i)
        (*op_seconds_)[name(graph_.ops()[i])] += seconds[i];
}

void Program::time_ops(OpSeconds* seconds) {
    op_seconds_ = seconds;
    stopwatch_ = seconds != nullptr ? backend_->stopwatch() : nullptr;
}

std::span<const float> Program::losses() const {
    return {floats(arena_) + offsets_[graph_.losses().index], static_cast<std::size_t>(graph_.rows())};
}

std::span<const float> Program::values(TensorId tensor) const {
    const Tensor& kept = graph_.tensor(tensor);
    assert(kept.space == Space::activation && kept.element == kernels::Element::float32);
    return {floats(arena_) + offsets_[tensor.index], static_cast<std::size_t>(kept.size())};
}

std::int64_t program_floats(const Graph& graph, const kernels::Backend& backend) {
    return plan_memory(graph).arena_floats + constant_floats(graph) + workspace_floats(graph, backend);
}

}  // namespace isogrid::graph
