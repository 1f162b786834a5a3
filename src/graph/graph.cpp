#include "graph/graph.hpp"

#include <cassert>
#include <numeric>
#include <utility>

namespace isogrid::graph {

TensorId Graph::make(std::string name, std::int64_t rows, std::int64_t columns, Space space) {
    assert(rows > 0 && columns > 0);
    tensors_.push_back({std::move(name), rows, columns, space});
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

TensorId Graph::activation(std::string name, std::int64_t rows, std::int64_t columns) {
    return make(std::move(name), rows, columns, Space::activation);
}

TensorId Graph::parameter_gradient(TensorId parameter) {
    assert(tensor(parameter).space == Space::parameter && !parameter_gradients_.contains(parameter));
    const Tensor of = tensor(parameter);
    const TensorId id = make(of.name + ".gradient", of.rows, of.columns, Space::parameter_gradient);
    parameter_gradients_.emplace(parameter, id);
    return id;
}

TensorId Graph::gradient_of(TensorId parameter) const {
    const auto found = parameter_gradients_.find(parameter);
    return found == parameter_gradients_.end() ? TensorId{} : found->second;
}

TensorId Graph::embedding(TensorId table, float scale) {
    const TensorId out = activation("embedding", rows(), tensor(table).columns);
    append(Embedding{table, out, scale});
    return out;
}

TensorId Graph::rms_norm(TensorId x, TensorId gain, float epsilon) {
    assert(tensor(gain).size() == tensor(x).columns);
    const TensorId out = activation("rms_norm", tensor(x).rows, tensor(x).columns);
    const TensorId inverse_rms = activation("rms_norm.inverse_rms", 1, tensor(x).rows);
    append(RmsNorm{x, gain, out, inverse_rms, epsilon});
    return out;
}

TensorId Graph::linear(TensorId x, TensorId weights, float scale) {
    assert(tensor(x).columns == tensor(weights).columns);
    const TensorId out = activation("linear", tensor(x).rows, tensor(weights).rows);
    append(Linear{x, weights, out, scale});
    return out;
}

TensorId Graph::rotary(TensorId x, TensorId cosines, TensorId sines, std::int64_t heads) {
    const std::int64_t head_width = tensor(x).columns / heads;
    assert(head_width * heads == tensor(x).columns && tensor(cosines).columns == head_width / 2);
    assert(tensor(cosines).rows == context_ && tensor(sines).rows == context_);
    const TensorId out = activation("rotary", tensor(x).rows, tensor(x).columns);
    append(Rotary{x, cosines, sines, out, {context_, heads, head_width}, false});
    return out;
}

TensorId Graph::attention(TensorId q, TensorId k, TensorId v, std::int64_t heads, float scale) {
    const kernels::AttentionShape shape{batch_, context_, heads, tensor(q).columns / heads, scale};
    const TensorId out = activation("attention", tensor(q).rows, tensor(q).columns);
    const TensorId log_sum = activation("attention.log_sum", 1, batch_ * heads * context_);
    append(Attention{q, k, v, out, log_sum, shape});
    return out;
}

TensorId Graph::swiglu(TensorId gate, TensorId up) {
    const TensorId out = activation("swiglu", tensor(gate).rows, tensor(gate).columns);
    append(SwiGlu{gate, up, out});
    return out;
}

TensorId Graph::add(TensorId a, TensorId b) {
    assert(tensor(a).size() == tensor(b).size());
    const TensorId out = activation("add", tensor(a).rows, tensor(a).columns);
    append(Add{a, b, out});
    return out;
}

TensorId Graph::cross_entropy(TensorId logits) {
    assert(!losses_.valid());
    losses_ = activation("losses", 1, rows());
    append(CrossEntropy{logits, losses_, activation("losses.log_sum", 1, rows())});
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
