#include "graph/graph.hpp"

#include <cassert>
#include <numeric>
#include <utility>

namespace isogrid::graph {

using kernels::Element;

TensorId Graph::make(std::string name, std::int64_t rows, std::int64_t columns, Space space,
                     kernels::Element element) {
    assert(rows > 0 && columns > 0);
    tensors_.push_back({std::move(name), rows, columns, space, element});
    return {static_cast<std::int32_t>(tensors_.size() - 1)};
}

TensorId Graph::parameter(std::string name, std::int64_t rows, std::int64_t columns) {
    const TensorId id = make(std::move(name), rows, columns, Space::parameter);
    parameters_.push_back(id);
    return id;
}

TensorId Graph::constant(std::string name, std::int64_t rows, std::int64_t columns,
                         std::vector<float> values) {
    assert(static_cast<std::int64_t>(values.size()) == rows * columns);
    const TensorId id = make(std::move(name), rows, columns, Space::constant);
    constants_.emplace(id, std::move(values));
    return id;
}

TensorId Graph::activation(std::string name, std::int64_t rows, std::int64_t columns,
                           kernels::Element element) {
    return make(std::move(name), rows, columns, Space::activation, element);
}

TensorId Graph::joined(const std::vector<TensorId>& parts) {
    std::int64_t rows = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        assert(tensor(parts[i]).columns == tensor(parts[0]).columns && !joins_.contains(parts[i]));
        // Each right after the one before.
        assert(parameters_[parameters_.size() - parts.size() + i] == parts[i]);
        rows += tensor(parts[i]).rows;
    }
    const Tensor first = tensor(parts.front());
    const TensorId id = make(first.name + "+", rows, first.columns, Space::parameter);
    joins_.emplace(id, parts);
    return id;
}

TensorId Graph::parameter_gradient(TensorId parameter) {
    assert(tensor(parameter).space == Space::parameter && !parameter_gradients_.contains(parameter));
    const Tensor of = tensor(parameter);
    const TensorId id = make(of.name + ".gradient", of.rows, of.columns, Space::parameter_gradient);
    parameter_gradients_.emplace(parameter, id);
    return id;
}

void Graph::replace(std::size_t position, Op op, std::size_t count) {
    assert(count > 0 && position + count <= ops_.size());
    const auto at = ops_.begin() + static_cast<std::ptrdiff_t>(position);
    *at = op;
    ops_.erase(at + 1, at + static_cast<std::ptrdiff_t>(count));
}

TensorId Graph::gradient_of(TensorId parameter) const {
    const auto found = parameter_gradients_.find(parameter);
    return found == parameter_gradients_.end() ? TensorId{} : found->second;
}

TensorId Graph::embedding(TensorId table, float scale) {
    const TensorId out = activation("embedding", rows(), tensor(table).columns, Element::float32);
    append(Embedding{table, out, scale});
    return out;
}

TensorId Graph::rms_norm(TensorId x, TensorId gain, float epsilon) {
    assert(tensor(gain).size() == tensor(x).columns);
    const TensorId out = activation("rms_norm", tensor(x).rows, tensor(x).columns, element_);
    const TensorId inverse_rms = activation("rms_norm.inverse_rms", 1, tensor(x).rows, Element::float32);
    append(RmsNorm{x, gain, out, inverse_rms, epsilon});
    return out;
}

TensorId Graph::linear(TensorId x, TensorId weights) {
    assert(tensor(x).columns == tensor(weights).columns && tensor(x).element == element_);
    const TensorId out = activation("linear", tensor(x).rows, tensor(weights).rows, element_);
    append(Linear{x, weights, {}, out});
    return out;
}

TensorId Graph::add_linear(TensorId addend, TensorId x, TensorId weights) {
    assert(tensor(x).columns == tensor(weights).columns && tensor(x).element == element_);
    assert(tensor(addend).columns == tensor(weights).rows && tensor(addend).element == Element::float32);
    const TensorId out = activation("add_linear", tensor(x).rows, tensor(weights).rows, Element::float32);
    append(Linear{x, weights, addend, out});
    return out;
}

TensorId Graph::logits(TensorId x, TensorId weights) {
    assert(tensor(x).columns == tensor(weights).columns && tensor(x).element == element_);
    const TensorId out = activation("logits", tensor(x).rows, tensor(weights).rows, Element::float32);
    append(Linear{x, weights, {}, out});
    return out;
}

TensorId Graph::attention(TensorId qkv, TensorId cosines, TensorId sines, std::int64_t heads, float scale) {
    const std::int64_t width = tensor(qkv).columns / 3;
    const kernels::AttentionShape shape{batch_, context_, heads, width / heads, scale};
    assert(3 * shape.width() == tensor(qkv).columns && tensor(cosines).columns == shape.head_width / 2);
    assert(tensor(cosines).rows == context_ && tensor(sines).rows == context_);
    const TensorId out = activation("attention", tensor(qkv).rows, width, element_);
    const TensorId log_sum = activation("attention.log_sum", 1, batch_ * heads * context_, Element::float32);
    append(Attention{qkv, cosines, sines, out, log_sum, shape});
    return out;
}

TensorId Graph::swiglu(TensorId gate_up) {
    assert(tensor(gate_up).columns % 2 == 0);
    const TensorId out = activation("swiglu", tensor(gate_up).rows, tensor(gate_up).columns / 2, element_);
    append(SwiGlu{gate_up, out});
    return out;
}

TensorId Graph::add(TensorId a, TensorId b) {
    assert(tensor(a).size() == tensor(b).size());
    assert(tensor(a).element == Element::float32 && tensor(b).element == Element::float32);
    const TensorId out = activation("add", tensor(a).rows, tensor(a).columns, Element::float32);
    append(Add{a, b, out});
    return out;
}

TensorId Graph::cross_entropy(TensorId logits, float logit_scale) {
    assert(!losses_.valid() && tensor(logits).element == Element::float32);
    losses_ = activation("losses", 1, rows(), Element::float32);
    append(CrossEntropy{logits, losses_, logit_scale});
    return losses_;
}

double flops(const Graph& graph) {
    double total = 0;
    for (const Op& op : graph.ops())
        total += flops(op, graph.tensors());
    return total;
}

double bytes(const Graph& graph) {
    double total = 0;
    for (const Op& op : graph.ops())
        total += bytes(op, graph.tensors());
    return total;
}

}  // namespace isogrid::graph
