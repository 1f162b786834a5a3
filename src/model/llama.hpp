// A decoder of the Llama kind, written once as a graph: RMSNorm before each block, rotary positions, causal
// attention, SwiGLU, no biases (Touvron et al. 2023). Parameter names are those of Hugging Face's
// LlamaForCausalLM.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.hpp"
#include "graph/memory_plan.hpp"
#include "model/parametrization.hpp"
#include "study/parameter_group.hpp"
#include "study/trial.hpp"

namespace isogrid::model {

inline constexpr float rms_norm_epsilon = 1e-5f;
inline constexpr double rotary_theta = 10000.0;

struct Llama {
    graph::Graph graph;
    std::vector<Role> roles;                    ///< of graph.parameters(), in the same order
    graph::TensorId stream, logits;             ///< the residual stream behind the last block; what follows
    std::vector<study::ParameterGroup> groups;  ///< likewise
};

kernels::Element element_of(study::Precision precision);

/// The forward pass over `batch` sequences, ending in the losses.
Llama build_forward(const study::Shape& shape, const study::Parametrization& parametrization,
                    study::Precision precision, std::int64_t batch);

/// Forward and backward: gradients of loss_scale times the sum of the losses.
Llama build_training(const study::Shape& shape, const study::Parametrization& parametrization,
                     study::Precision precision, std::int64_t batch, float loss_scale);

/// Weights at step 0 in the layout's order, of parameters of these roles: a pure function of the seed.
std::vector<float> initial_weights(const std::vector<Role>& roles, const graph::ParameterLayout& layout,
                                   const study::Shape& shape, const study::Parametrization& parametrization,
                                   std::uint64_t seed);

/// Forward and backward FLOPs for a token: the sum over the graph's ops. Independent of parametrization,
/// precision and batch.
double exact_flops_per_token(const study::Shape& shape);

}  // namespace isogrid::model
