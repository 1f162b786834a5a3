// How initialization, learning rate and multipliers of each tensor follow the model's size.
// The tables stand in docs/methods.md, "Parametrizations", with their sources.
#pragma once

#include "study/shape.hpp"
#include "study/trial.hpp"

namespace isogrid::model {

/// What a parameter tensor does, which decides how it scales.
enum class Role {
    embedding,        ///< (vocabulary, width)
    hidden,           ///< reads and writes widths: q, k, v, gate, up
    residual_output,  ///< hidden, and adds to the residual stream: attention's o, the mlp's down
    head,             ///< (vocabulary, width), width to logits
    gain              ///< of a norm
};

struct TensorRule {
    double initial_deviation = 0;  ///< of the normal distribution; gains start at one instead
    double learning_rate_multiplier = 1;
    bool decays = true;
};

/// Standard: everything at initial_deviation, one learning rate. muP with m = width / base_width (Yang et al.
/// 2022, "Tensor Programs V", table 8, Adam): hidden tensors at deviation / sqrt(m) and learning rate / m;
/// embedding, head and gains as at the base. In both, residual outputs start smaller by sqrt(2 * depth)
/// (Radford et al. 2019). minicpm (Hu et al. 2024, table of muP operations) is muP but for the residual
/// outputs: what a block adds is scaled by r = residual_multiplier / sqrt(depth). The factor is carried by
/// the weights: deviation and learning rate times r, which under Adam trains the same function (Yang et al.
/// 2022, lemma J.1) but for its epsilon and the clipping.
TensorRule tensor_rule(Role role, const study::Shape& shape, const study::Parametrization& parametrization);

/// Factor on the logits: output_multiplier, and but for the standard parametrization also base_width / width.
double logit_scale(const study::Shape& shape, const study::Parametrization& parametrization);

/// Factor on q.k: attention_multiplier / sqrt(head_width). A ladder's shapes share one head width and differ
/// in the number of heads, so muP's 1 / head_width would be the same constant for all of them.
double attention_scale(const study::Shape& shape, const study::Parametrization& parametrization);

}  // namespace isogrid::model
