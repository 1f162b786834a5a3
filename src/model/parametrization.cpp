#include "model/parametrization.hpp"

#include <cmath>

namespace isogrid::model {
namespace {

double width_ratio(const study::Shape& shape, const study::Parametrization& parametrization) {
    if (parametrization.kind == study::ParametrizationKind::standard) return 1;
    return static_cast<double>(shape.width) / static_cast<double>(parametrization.base_width);
}

}  // namespace

TensorRule tensor_rule(Role role, const study::Shape& shape, const study::Parametrization& parametrization) {
    const double ratio = width_ratio(shape, parametrization);
    const double deviation = parametrization.initial_deviation;
    const auto depth = static_cast<double>(shape.depth);
    switch (role) {
        case Role::embedding:
        case Role::head:
            return {deviation, 1, true};
        case Role::hidden:
            return {deviation / std::sqrt(ratio), 1 / ratio, true};
        case Role::residual_output:
            if (parametrization.kind == study::ParametrizationKind::minicpm) {
                const double scale = parametrization.residual_multiplier / std::sqrt(depth);
                return {scale * deviation / std::sqrt(ratio), scale / ratio, true};
            }
            return {deviation / std::sqrt(ratio * 2 * depth), 1 / ratio, true};
        case Role::gain:
            return {0, 1, false};
    }
    return {};
}

double logit_scale(const study::Shape& shape, const study::Parametrization& parametrization) {
    return parametrization.output_multiplier / width_ratio(shape, parametrization);
}

double attention_scale(const study::Shape& shape, const study::Parametrization& parametrization) {
    return parametrization.attention_multiplier / std::sqrt(static_cast<double>(shape.head_width()));
}

}  // namespace isogrid::model
