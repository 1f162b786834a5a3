// What a trial costs, under every convention of the field. Training FLOPs, forward and backward.
#pragma once

#include <array>
#include <string_view>

#include "study/shape.hpp"

namespace isogrid::study {

enum class FlopConvention {
    six_n,      ///< 6 N D with N all parameters (Chinchilla's approximation)
    matmul,     ///< 6 x the weights that multiply (attention, mlp, head) x D (Porian et al. 2024)
    attention,  ///< matmul plus causal attention scores: 6 x depth x width x (context + 1) a token
    exact       ///< every operation of the training graph as it really runs, optimizer apart
};
inline constexpr std::array flop_conventions = {FlopConvention::six_n, FlopConvention::matmul,
                                                FlopConvention::attention, FlopConvention::exact};
std::string_view name(FlopConvention convention);

/// FLOPs for training on one token, by convention.
struct FlopsPerToken {
    double six_n = 0, matmul = 0, attention = 0, exact = 0;
    double under(FlopConvention convention) const;
    bool operator==(const FlopsPerToken&) const = default;
};

/// The three closed forms; `exact` comes from the graph (model::exact_flops_per_token) and is passed through.
FlopsPerToken count_flops(const Shape& shape, double exact);

}  // namespace isogrid::study
