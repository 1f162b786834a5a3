// Where a trial stands between two steps, as plain values. No HDF5 here: the trainer makes and takes these.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "archive/record.hpp"
#include "study/parameter_group.hpp"

namespace isogrid::archive {

/// What the trainer adds up from one row of the curve to the next. A file has it as so many numbers, in this
/// order.
struct RowSums {
    double loss = 0;   ///< of the steps since the row
    double steps = 0;  ///< their number, for who reads the file: Checkpoint::step and curve say it too
    std::array<double, study::parameter_groups.size()> of_leaves = {};  ///< squared norms of gradients
    std::array<double, study::parameter_groups.size()> of_batch = {};
};
using RowSumNumbers = std::array<double, 2 + 2 * study::parameter_groups.size()>;  ///< std::bit_cast to it
static_assert(sizeof(RowSumNumbers) == sizeof(RowSums));

/// All that the rest of a trial depends on besides its specification. The order of the data needs nothing: it
/// is a pure function of the step.
struct Checkpoint {
    std::int64_t step = 0;  ///< steps done, the row of the curve that belongs to the last one included
    std::vector<CurvePoint> curve = {};  ///< its rows so far, the first of step 0
    RowSums sums = {};
    std::vector<float> weights = {}, first_moment = {},
                       second_moment = {};  ///< in the model's parameter order
};

}  // namespace isogrid::archive
