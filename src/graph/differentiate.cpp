#include "graph/differentiate.hpp"

#include <cassert>
#include <cstddef>
#include <map>
#include <string>
#include <type_traits>
#include <variant>

namespace isogrid::graph {
namespace {

/// Where an op's contribution to a gradient goes.
struct Slot {
    TensorId gradient;
    Write mode = Write::replace;
    TensorId earlier;  ///< contributions so far, to be added to `gradient` by finish(); mostly invalid
};

class Differentiator {
  public:
    Differentiator(Graph& graph, float loss_scale) : graph_(graph), loss_scale_(loss_scale) {
        for (std::size_t i = 0; i < graph.ops().size(); ++i)
            for (const TensorId id : writes(graph.ops()[i]))
                producer_[id] = static_cast<std::ptrdiff_t>(i);
    }

    void run() {
        const std::vector<Op> forward = graph_.ops();
        for (position_ = static_cast<std::ptrdiff_t>(forward.size()) - 1; position_ >= 0; --position_)
            std::visit([this](const auto& op) { backward(op); },
                       forward[static_cast<std::size_t>(position_)]);
    }

  private:
    // The losses are known when their gradient is: one op takes the place of the forward one.
    void backward(const CrossEntropy& op) {
        const Slot logits = fresh_slot(op.logits, graph_.element());
        graph_.replace(
            static_cast<std::size_t>(position_),
            CrossEntropyGradient{op.logits, op.losses, logits.gradient, op.logit_scale, loss_scale_});
        finish(op.logits, logits);
    }

    void backward(const Linear& op) {
        const TensorId out_gradient = for_products(gradient_.at(op.out));
        const Slot weights = slot(op.weights);
        graph_.append(LinearBackwardWeights{out_gradient, op.x, weights.gradient, weights.mode});
        finish(op.weights, weights);
        const Slot x = slot(op.x);
        graph_.append(LinearBackwardInput{out_gradient, op.weights, x.gradient, x.mode});
        finish(op.x, x);
        if (op.addend.valid()) pass_on(gradient_.at(op.out), op.addend);
    }

    void backward(const RmsNorm& op) {
        const Slot x = slot(op.x);
        const Slot gain = slot(op.gain);
        graph_.append(RmsNormBackward{gradient_.at(op.out),
                                      op.x,
                                      op.gain,
                                      op.inverse_rms,
                                      x.gradient,
                                      gain.gradient,
                                      {},
                                      x.mode,
                                      gain.mode});
        finish(op.x, x);
        finish(op.gain, gain);
    }

    void backward(const Attention& op) {
        const Slot qkv = fresh_slot(op.qkv, graph_.element());
        graph_.append(AttentionBackward{gradient_.at(op.out), op.qkv, op.cosines, op.sines, op.out,
                                        op.log_sum, qkv.gradient, op.shape});
        finish(op.qkv, qkv);
    }

    void backward(const SwiGlu& op) {
        const Slot gate_up = fresh_slot(op.gate_up, graph_.element());
        graph_.append(SwiGluBackward{gradient_.at(op.out), op.gate_up, gate_up.gradient});
        finish(op.gate_up, gate_up);
    }

    // The gradient of a sum is the gradient of each operand: they share its memory until one of them grows.
    void backward(const Add& op) {
        assert(op.a != op.b);
        const TensorId out_gradient = gradient_.at(op.out);
        pass_on(out_gradient, op.a);
        pass_on(out_gradient, op.b);
    }

    void pass_on(TensorId out_gradient, TensorId operand) {
        const auto found = gradient_.find(operand);
        if (found == gradient_.end())
            gradient_[operand] = out_gradient;
        else
            found->second = sum_of(found->second, out_gradient);
    }

    /// A gradient as products read it. A norm that has just written it can round it on its way.
    TensorId for_products(TensorId gradient) {
        const Tensor of = graph_.tensor(gradient);
        if (of.element == graph_.element()) return gradient;
        const TensorId rounded =
            graph_.activation(of.name + ".rounded", of.rows, of.columns, graph_.element());
        const auto* norm = std::get_if<RmsNormBackward>(&graph_.ops().back());
        if (norm != nullptr && norm->x_gradient == gradient) {
            RmsNormBackward also_rounding = *norm;
            also_rounding.rounded = rounded;
            graph_.replace(graph_.ops().size() - 1, also_rounding);
        } else {
            graph_.append(Round{gradient, rounded});
        }
        return rounded;
    }

    /// What a gradient is kept in: norms, sums and look-ups take theirs in float32.
    kernels::Element gradient_element(TensorId of) const {
        const auto producer = producer_.find(of);
        if (producer == producer_.end()) return kernels::Element::float32;
        return std::visit(
            [&](const auto& op) {
                using Kind = std::decay_t<decltype(op)>;
                const bool in_float32 = std::is_same_v<Kind, RmsNorm> || std::is_same_v<Kind, Embedding>;
                return in_float32 ? kernels::Element::float32 : graph_.tensor(of).element;
            },
            graph_.ops()[static_cast<std::size_t>(producer->second)]);
    }

    void backward(const Embedding& op) {
        const Slot table = slot(op.table);
        graph_.append(EmbeddingBackward{gradient_.at(op.out), table.gradient, op.scale, table.mode});
    }

    template <class BackwardOp>
    void backward(const BackwardOp&) {
        assert(!"a graph is differentiated once");
    }

    /// For ops that can add to what stands in their output.
    Slot slot(TensorId of) {
        if (graph_.tensor(of).space == Space::parameter) {
            const TensorId existing = graph_.gradient_of(of);
            if (existing.valid()) return {existing, Write::add, {}};
            return {graph_.parameter_gradient(of), Write::replace, {}};
        }
        const auto found = gradient_.find(of);
        if (found != gradient_.end() && !awaited_by_others(of, found->second))
            return {found->second, Write::add, {}};
        return fresh_slot(of, gradient_element(of));
    }

    /// For ops that can only replace their output.
    Slot fresh_slot(TensorId of, kernels::Element element) {
        const Tensor tensor = graph_.tensor(of);
        const std::string name = tensor.name + ".gradient";
        const auto found = gradient_.find(of);
        const TensorId earlier = found == gradient_.end() ? TensorId{} : found->second;
        return {graph_.activation(name, tensor.rows, tensor.columns, element), Write::replace, earlier};
    }

    void finish(TensorId of, const Slot& slot) {
        if (graph_.tensor(of).space == Space::parameter) return;
        gradient_[of] = slot.earlier.valid() ? sum_of(slot.earlier, slot.gradient) : slot.gradient;
    }

    TensorId sum_of(TensorId a, TensorId b) {
        const Tensor like = graph_.tensor(a);
        assert(like.element == kernels::Element::float32);
        const TensorId out = graph_.activation(like.name, like.rows, like.columns, like.element);
        graph_.append(Add{a, b, out});
        return out;
    }

    /// Whether `gradient` also belongs to a tensor whose producer has still to read it, or does so now, so
    /// that adding to it in place would spoil that tensor's gradient.
    bool awaited_by_others(TensorId of, TensorId gradient) const {
        for (const auto& [tensor, its_gradient] : gradient_) {
            const auto producer = producer_.find(tensor);
            if (tensor != of && its_gradient == gradient && producer != producer_.end() &&
                producer->second <= position_)
                return true;
        }
        return false;
    }

    Graph& graph_;
    float loss_scale_;
    std::ptrdiff_t position_ = 0;
    std::map<TensorId, std::ptrdiff_t> producer_;  ///< index of the forward op that writes a tensor
    std::map<TensorId, TensorId> gradient_;        ///< of activations, as far as it is known
};

}  // namespace

void differentiate(Graph& graph, float loss_scale) {
    assert(graph.losses().valid());
    Differentiator(graph, loss_scale).run();
}

}  // namespace isogrid::graph
