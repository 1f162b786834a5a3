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
using study::ParameterGroup;

/// Records parameters together with their roles.
class Recorder {
  public:
    Recorder(const study::Shape& shape, std::int64_t batch, kernels::Element element)
        : model_{graph::Graph(batch, shape.context, element), {}, {}, {}, {}} {}

    TensorId parameter(std::string name, Role role, study::ParameterGroup group, std::int64_t rows,
                       std::int64_t columns) {
        model_.roles.push_back(role);
        model_.groups.push_back(group);
        return model_.graph.parameter(std::move(name), rows, columns);
    }
    graph::Graph& graph() { return model_.graph; }
    Llama take(TensorId stream, TensorId logits) {
        model_.stream = stream;
        model_.logits = logits;
        return std::move(model_);
    }

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

/// Attention over x, added to x.
TensorId attention_block(Recorder& record, TensorId x, const RotaryTables& tables, const study::Shape& shape,
                         float scale, const std::string& layer) {
    graph::Graph& graph = record.graph();
    const std::int64_t width = shape.width;
    const TensorId gain =
        record.parameter(layer + "input_layernorm.weight", Role::gain, ParameterGroup::norm, 1, width);
    const TensorId q_weights = record.parameter(layer + "self_attn.q_proj.weight", Role::hidden,
                                                ParameterGroup::attention, width, width);
    const TensorId k_weights = record.parameter(layer + "self_attn.k_proj.weight", Role::hidden,
                                                ParameterGroup::attention, width, width);
    const TensorId v_weights = record.parameter(layer + "self_attn.v_proj.weight", Role::hidden,
                                                ParameterGroup::attention, width, width);
    const TensorId qkv_weights = graph.joined({q_weights, k_weights, v_weights});
    const TensorId o_weights = record.parameter(layer + "self_attn.o_proj.weight", Role::residual_output,
                                                ParameterGroup::attention, width, width);

    const TensorId normed = graph.rms_norm(x, gain, rms_norm_epsilon);
    const TensorId qkv = graph.linear(normed, qkv_weights);
    return graph.add_linear(x, graph.attention(qkv, tables.cosines, tables.sines, shape.heads, scale),
                            o_weights);
}

/// The mlp of x, added to x.
TensorId mlp_block(Recorder& record, TensorId x, const study::Shape& shape, const std::string& layer) {
    graph::Graph& graph = record.graph();
    const std::int64_t width = shape.width, hidden = shape.mlp_width;
    const TensorId gain = record.parameter(layer + "post_attention_layernorm.weight", Role::gain,
                                           ParameterGroup::norm, 1, width);
    const TensorId gate_weights =
        record.parameter(layer + "mlp.gate_proj.weight", Role::hidden, ParameterGroup::mlp, hidden, width);
    const TensorId up_weights =
        record.parameter(layer + "mlp.up_proj.weight", Role::hidden, ParameterGroup::mlp, hidden, width);
    const TensorId gate_up_weights = graph.joined({gate_weights, up_weights});
    const TensorId down_weights = record.parameter(layer + "mlp.down_proj.weight", Role::residual_output,
                                                   ParameterGroup::mlp, width, hidden);

    const TensorId normed = graph.rms_norm(x, gain, rms_norm_epsilon);
    return graph.add_linear(x, graph.swiglu(graph.linear(normed, gate_up_weights)), down_weights);
}

}  // namespace

kernels::Element element_of(study::Precision precision) {
    return precision == study::Precision::bfloat16 ? kernels::Element::bfloat16 : kernels::Element::float32;
}

Llama build_forward(const study::Shape& shape, const study::Parametrization& parametrization,
                    study::Precision precision, std::int64_t batch) {
    Recorder record(shape, batch, element_of(precision));
    graph::Graph& graph = record.graph();
    const auto attention_factor = static_cast<float>(attention_scale(shape, parametrization));

    const TensorId table = record.parameter("model.embed_tokens.weight", Role::embedding,
                                            ParameterGroup::embedding, shape.vocabulary, shape.width);
    const RotaryTables tables = rotary_tables(graph, shape);
    TensorId x = graph.embedding(table, static_cast<float>(parametrization.embedding_multiplier));
    for (std::int64_t i = 0; i < shape.depth; ++i) {
        const std::string layer = "model.layers." + std::to_string(i) + ".";
        x = attention_block(record, x, tables, shape, attention_factor, layer);
        x = mlp_block(record, x, shape, layer);
    }
    const TensorId gain =
        record.parameter("model.norm.weight", Role::gain, ParameterGroup::norm, 1, shape.width);
    const TensorId normed = graph.rms_norm(x, gain, rms_norm_epsilon);
    const TensorId head = shape.tied_head
                              ? table
                              : record.parameter("lm_head.weight", Role::head, ParameterGroup::head,
                                                 shape.vocabulary, shape.width);
    const TensorId logits = graph.logits(normed, head);
    graph.cross_entropy(logits, static_cast<float>(logit_scale(shape, parametrization)));
    return record.take(x, logits);
}

Llama build_training(const study::Shape& shape, const study::Parametrization& parametrization,
                     study::Precision precision, std::int64_t batch, float loss_scale) {
    Llama model = build_forward(shape, parametrization, precision, batch);
    graph::differentiate(model.graph, loss_scale);
    return model;
}

std::vector<float> initial_weights(const std::vector<Role>& roles, const graph::ParameterLayout& layout,
                                   const study::Shape& shape, const study::Parametrization& parametrization,
                                   std::uint64_t seed) {
    std::vector<float> weights(static_cast<std::size_t>(layout.floats), 0.0f);
    for (std::size_t i = 0; i < roles.size(); ++i) {
        const std::span<float> values(weights.data() + layout.offsets[i],
                                      static_cast<std::size_t>(layout.sizes[i]));
        if (roles[i] == Role::gain)
            std::fill(values.begin(), values.end(), 1.0f);
        else
            data::fill_normal(values, seed, static_cast<std::uint32_t>(i),
                              tensor_rule(roles[i], shape, parametrization).initial_deviation);
    }
    return weights;
}

double exact_flops_per_token(const study::Shape& shape) {
    const Llama model = build_training(shape, {}, study::Precision::float32, 1, 1.0f);
    return graph::flops(model.graph) / static_cast<double>(model.graph.rows());
}

}  // namespace isogrid::model
