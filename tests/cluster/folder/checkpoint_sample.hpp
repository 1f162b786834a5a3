// A checkpoint that tells its step.
#pragma once

#include <cstdint>
#include <vector>

#include "archive/checkpoint.hpp"
#include "study/shape.hpp"

namespace isogrid::cluster::test {

/// Of a model of this shape after `step` steps, which all of its numbers are.
inline archive::Checkpoint checkpoint_of(const study::Shape& shape, std::int64_t step) {
    const auto parameters = static_cast<std::size_t>(study::count_parameters(shape).total());
    const std::vector<float> values(parameters, static_cast<float>(step));
    return {.step = step,
            .curve = {{.step = 0}},
            .weights = values,
            .first_moment = values,
            .second_moment = values};
}

}  // namespace isogrid::cluster::test
