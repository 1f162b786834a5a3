// Where a trial stands between two steps, as plain values. No HDF5 here: the trainer makes and takes these.
#pragma once

#include <cstdint>
#include <vector>

#include "archive/record.hpp"

namespace isogrid::archive {

/// All that the rest of a trial depends on besides its specification. The order of the data needs nothing: it
/// is a pure function of the step.
struct Checkpoint {
    std::int64_t step = 0;  ///< steps done, the row of the curve that belongs to the last one included
    std::vector<CurvePoint> curve = {};  ///< its rows so far, the first of step 0
    std::vector<double> sums = {};  ///< what the trainer adds up from one row to the next, in its own order
    std::vector<float> weights = {}, first_moment = {},
                       second_moment = {};  ///< in the model's parameter order
};

}  // namespace isogrid::archive
