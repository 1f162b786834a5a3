#include "model/llama.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "data/random.hpp"
#include "graph/differentiate.hpp"

namespace isogrid::model {
namespace {

using graph::TensorId;

/// Records parameters together with their roles.
class Recorder {
  public:
    Recorder(const study::Shape& shape, std::int64_t batch)
        : model_{graph::Graph(batch, shape.context), {}} {}

    TensorId parameter(std::string name, Role role, std::int64_t rows, std::int64_t columns) {
        model_.roles.push_back(role);
        return model_.graph.parameter(std::move(name), rows, columns);
    }
    graph::Graph& graph() { return model_.graph; }
    Llama take() { return std::move(model_); }

  private:
    Llama model_;
};

struct RotaryTables {
    TensorId cosines, sines;  ///< (context, head_width / 2)
};

RotaryTables rotary_tables(graph::Graph& graph, const study::Shape& shape) {
    const std::int64_t half = shape.head_width() / 2;
    std::vector<float> cosines, sines;
    for (std::int64_t position = 0; position < shape.context; ++position) {
        for (std::int64_t i = 0; i < half; ++i) {
            const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(shape.head_width());
            const double angle = static_cast<double>(position) * std::pow(rotary_theta, exponent);
            cosines.push_back(static_cast<float>(std::cos(angle)));
            sines.push_back(static_cast<float>(std::sin(angle)));
        }
    }
    return {graph.constant("rotary.cosines", shape.context, half, std::move(cosines)),
            graph.constant("rotary.sines", shape.context, half, std::move(sines))};
}

TensorId attention_block(Recorder& record, TensorId x, const RotaryTables& tables, const study::Shape& shape,
                         float scale, const std::string& layer) {
    graph::Graph& graph = record.graph();
    const std::int64_t width = shape.width;
    const TensorId gain = record.parameter(layer + "input_layernorm.weight", Role::gain, 1, width);
    const TensorId q_weights =
        record.parameter(layer + "self_attn.q_proj.weight", Role::hidden, width, width);
    const TensorId k_weights =
        record.parameter(layer + "self_attn.k_proj.weight", Role::hidden, width, width);
    const TensorId v_weights =
        record.parameter(layer + "self_attn.v_proj.weight", Role::hidden, width, width);
    const TensorId o_weights =
        record.parameter(layer + "self_attn.o_proj.weight", Role::residual_output, width, width);

    const TensorId normed = graph.rms_norm(x, gain, rms_norm_epsilon);
    const TensorId q =
        graph.rotary(graph.linear(normed, q_weights), tables.cosines, tables.sines, shape.heads);
    const TensorId k =
        graph.rotary(graph.linear(normed, k_weights), tables.cosines, tables.sines, shape.heads);
    const TensorId v = graph.linear(normed, v_weights);
    return graph.linear(graph.attention(q, k, v, shape.heads, scale), o_weights);
}

TensorId mlp_block(Recorder& record, TensorId x, const study::Shape& shape, const std::string& layer) {
    graph::Graph& graph = record.graph();
    const std::int64_t width = shape.width, hidden = shape.mlp_width;
    const TensorId gain = record.parameter(layer + "post_attention_layernorm.weight", Role::gain, 1, width);
    const TensorId gate_weights =
        record.parameter(layer + "mlp.gate_proj.weight", Role::hidden, hidden, width);
    const TensorId up_weights = record.parameter(layer + "mlp.up_proj.weight", Role::hidden, hidden, width);
    const TensorId down_weights =
        record.parameter(layer + "mlp.down_proj.weight", Role::residual_output, width, hidden);

    const TensorId normed = graph.rms_norm(x, gain, rms_norm_epsilon);
    const TensorId gate = graph.linear(normed, gate_weights);
    const TensorId up = graph.linear(normed, up_weights);
    return graph.linear(graph.swiglu(gate, up), down_weights);
}

}  // namespace

Llama build_forward(const study::Shape& shape, const study::Parametrization& parametrization,
                    std::int64_t batch) {
    Recorder record(shape, batch);
    graph::Graph& graph = record.graph();
    const auto attention_factor = static_cast<float>(attention_scale(shape, parametrization));

    const TensorId table =
        record.parameter("model.embed_tokens.weight", Role::embedding, shape.vocabulary, shape.width);
    const RotaryTables tables = rotary_tables(graph, shape);
    TensorId x = graph.embedding(table, static_cast<float>(parametrization.embedding_multiplier));
    for (std::int64_t i = 0; i < shape.depth; ++i) {
        const std::string layer = "model.layers." + std::to_string(i) + ".";
        x = graph.add(x, attention_block(record, x, tables, shape, attention_factor, layer));
        x = graph.add(x, mlp_block(record, x, shape, layer));
    }
    const TensorId gain = record.parameter("model.norm.weight", Role::gain, 1, shape.width);
    const TensorId normed = graph.rms_norm(x, gain, rms_norm_epsilon);
    const TensorId head = shape.tied_head
                              ? table
                              : record.parameter("lm_head.weight", Role::head, shape.vocabulary, shape.width);
    graph.cross_entropy(graph.linear(normed, head, static_cast<float>(logit_scale(shape, parametrization))));
    return record.take();
}

Llama build_training(const study::Shape& shape, const study::Parametrization& parametrization,
                     std::int64_t batch, float loss_scale) {
    Llama model = build_forward(shape, parametrization, batch);
    graph::differentiate(model.graph, loss_scale);
    return model;
}

std::vector<float> initial_weights(const Llama& model, const graph::ParameterLayout& layout,
                                   const study::Shape& shape, const study::Parametrization& parametrization,
                                   std::uint64_t seed) {
    std::vector<float> weights(static_cast<std::size_t>(layout.floats), 0.0f);
    for (std::size_t i = 0; i < model.roles.size(); ++i) {
        const std::span<float> values(weights.data() + layout.offsets[i],
                                      static_cast<std::size_t>(layout.sizes[i]));
        if (model.roles[i] == Role::gain)
            std::fill(values.begin(), values.end(), 1.0f);
        else
            data::fill_normal(values, seed, static_cast<std::uint32_t>(i),
                              tensor_rule(model.roles[i], shape, parametrization).initial_deviation);
    }
    return weights;
}

std::vector<float> pack(const graph::ParameterLayout& layout, std::span<const float> weights) {
    std::vector<float> packed;
    for (std::size_t i = 0; i < layout.sizes.size(); ++i) {
        const auto first = weights.begin() + layout.offsets[i];
        packed.insert(packed.end(), first, first + layout.sizes[i]);
    }
    return packed;
}

double exact_flops_per_token(const study::Shape& shape) {
    const Llama model = build_training(shape, {}, 1, 1.0f);
    return graph::flops(model.graph) / static_cast<double>(model.graph.rows());
}

}  // namespace isogrid::model
