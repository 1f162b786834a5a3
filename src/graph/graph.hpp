// A static graph: tensors, and the ops that run on them, in order. A model records its forward pass here
// once; differentiate() appends the backward pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/ops.hpp"
#include "graph/tensor.hpp"

namespace isogrid::graph {

class Graph {
  public:
    /// A graph over `batch` sequences of `context` tokens a run; rows below are batch * context. What passes
    /// through products is of `element`; the residual stream, logits and losses are float32.
    Graph(std::int64_t batch, std::int64_t context, kernels::Element element = kernels::Element::float32)
        : batch_(batch), context_(context), element_(element) {}

    TensorId parameter(std::string name, std::int64_t rows, std::int64_t columns);
    /// `values` has rows * columns elements.
    TensorId constant(std::string name, std::int64_t rows, std::int64_t columns, std::vector<float> values);
    TensorId activation(std::string name, std::int64_t rows, std::int64_t columns, kernels::Element element);
    /// The gradient of a parameter or of joined ones.
    TensorId parameter_gradient(TensorId parameter);
    /// Parameters of equal columns, recorded one right after the other, as one matrix of all their rows: one
    /// product instead of several.
    TensorId joined(const std::vector<TensorId>& parts);

    // Forward ops, each returning its output.
    TensorId embedding(TensorId table, float scale);              ///< (vocabulary, width) -> (rows, width)
    TensorId rms_norm(TensorId x, TensorId gain, float epsilon);  ///< (rows, width)
    TensorId linear(TensorId x, TensorId weights);                ///< (rows, in), (out, in) -> (rows, out)
    TensorId add_linear(TensorId addend, TensorId x, TensorId weights);  ///< float32 addend + linear
    TensorId logits(TensorId x, TensorId weights);                       ///< linear, in float32
    /// qkv (rows, 3 width) -> (rows, width); cosines and sines are (context, head width / 2).
    TensorId attention(TensorId qkv, TensorId cosines, TensorId sines, std::int64_t heads, float scale);
    TensorId swiglu(TensorId gate_up);  ///< (rows, 2 hidden) -> (rows, hidden)
    TensorId add(TensorId a, TensorId b);
    /// logits (rows, vocabulary) -> losses (1, rows) of logit_scale * logits
    TensorId cross_entropy(TensorId logits, float logit_scale = 1.0f);

    /// Lets a tensor's value stand until the end of a run, for those who look at it (Program::values).
    void keep(TensorId tensor) { kept_.push_back(tensor); }

    void append(Op op) { ops_.push_back(op); }
    /// Puts `op` in the place of `count` ops from `position` on.
    void replace(std::size_t position, Op op, std::size_t count = 1);

    std::int64_t batch() const { return batch_; }
    std::int64_t context() const { return context_; }
    std::int64_t rows() const { return batch_ * context_; }
    kernels::Element element() const { return element_; }
    const std::vector<Tensor>& tensors() const { return tensors_; }
    const Tensor& tensor(TensorId id) const { return tensors_[id.index]; }
    const std::vector<Op>& ops() const { return ops_; }
    const std::vector<TensorId>& parameters() const { return parameters_; }  ///< in order of recording
    TensorId gradient_of(TensorId parameter) const;  ///< invalid before differentiate()
    /// The parts of each joined tensor.
    const std::map<TensorId, std::vector<TensorId>>& joins() const { return joins_; }
    const std::map<TensorId, std::vector<float>>& constants() const { return constants_; }
    TensorId losses() const { return losses_; }
    const std::vector<TensorId>& kept() const { return kept_; }

  private:
    TensorId make(std::string name, std::int64_t rows, std::int64_t columns, Space space,
                  kernels::Element element = kernels::Element::float32);

    std::int64_t batch_, context_;
    kernels::Element element_;
    std::vector<Tensor> tensors_;
    std::vector<Op> ops_;
    std::vector<TensorId> parameters_;
    std::map<TensorId, TensorId> parameter_gradients_;
    std::map<TensorId, std::vector<TensorId>> joins_;
    std::map<TensorId, std::vector<float>> constants_;
    TensorId losses_;
    std::vector<TensorId> kept_;
};

/// Sums over the ops that really run.
double flops(const Graph& graph);
double bytes(const Graph& graph);

}  // namespace isogrid::graph
