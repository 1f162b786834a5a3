// A static graph: tensors, and the ops that run on them, in order. A model records its forward pass here
// once; differentiate() appends the backward pass.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/ops.hpp"
#include "graph/tensor.hpp"

namespace isogrid::graph {

class Graph {
  public:
    /// A graph over `batch` sequences of `context` tokens a run; rows below are batch * context.
    Graph(std::int64_t batch, std::int64_t context) : batch_(batch), context_(context) {}

    TensorId parameter(std::string name, std::int64_t rows, std::int64_t columns);
    /// `values` has rows * columns elements.
    TensorId constant(std::string name, std::int64_t rows, std::int64_t columns, std::vector<float> values);
    TensorId activation(std::string name, std::int64_t rows, std::int64_t columns);
    TensorId parameter_gradient(TensorId parameter);

    // Forward ops, each returning its output.
    TensorId embedding(TensorId table, float scale);              ///< (vocabulary, width) -> (rows, width)
    TensorId rms_norm(TensorId x, TensorId gain, float epsilon);  ///< (rows, width)
    TensorId linear(TensorId x, TensorId weights,
                    float scale = 1.0f);  ///< (rows, in), (out, in) -> (rows, out)
    TensorId rotary(TensorId x, TensorId cosines, TensorId sines, std::int64_t heads);
    TensorId attention(TensorId q, TensorId k, TensorId v, std::int64_t heads, float scale);
    TensorId swiglu(TensorId gate, TensorId up);
    TensorId add(TensorId a, TensorId b);
    TensorId cross_entropy(TensorId logits);  ///< (rows, vocabulary) -> losses (1, rows)

    void append(Op op) { ops_.push_back(op); }

    std::int64_t batch() const { return batch_; }
    std::int64_t context() const { return context_; }
    std::int64_t rows() const { return batch_ * context_; }
    const std::vector<Tensor>& tensors() const { return tensors_; }
    const Tensor& tensor(TensorId id) const { return tensors_[id.index]; }
    const std::vector<Op>& ops() const { return ops_; }
    const std::vector<TensorId>& parameters() const { return parameters_; }  ///< in order of recording
    TensorId gradient_of(TensorId parameter) const;  ///< invalid before differentiate()
    const std::map<TensorId, std::vector<float>>& constants() const { return constants_; }
    TensorId losses() const { return losses_; }

  private:
    TensorId make(std::string name, std::int64_t rows, std::int64_t columns, Space space);

    std::int64_t batch_, context_;
    std::vector<Tensor> tensors_;
    std::vector<Op> ops_;
    std::vector<TensorId> parameters_;
    std::map<TensorId, TensorId> parameter_gradients_;
    std::map<TensorId, std::vector<float>> constants_;
    TensorId losses_;
};

/// Sums over the ops that really run.
double flops(const Graph& graph);
double bytes(const Graph& graph);

}  // namespace isogrid::graph
