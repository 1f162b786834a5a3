// The parts of a model that gradients are looked at by: those that parameters are counted by.
#pragma once

#include <array>

namespace isogrid::study {

/// In the order of ParameterCounts.
enum class ParameterGroup { embedding, head, attention, mlp, norm };
inline constexpr std::array parameter_groups = {ParameterGroup::embedding, ParameterGroup::head,
                                                ParameterGroup::attention, ParameterGroup::mlp,
                                                ParameterGroup::norm};

}  // namespace isogrid::study
