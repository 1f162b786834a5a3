// When a trial is given up as diverged although its loss is a number.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "archive/record.hpp"

namespace isogrid::train {

/// Why a trial that has come to the last row of this curve is given up; empty where it is not. Its loss must
/// have been above the one it started from for 64 steps without a pause, and for a twentieth of the steps so
/// far: with large batches and rates it often rises to several times its start when the warm-up ends, and is
/// back below it 20 steps later. Rows of the warm-up do not count. How long the trial is to be does not
/// matter: a branch must end as it would have from its start, whoever trained its beginning.
std::string divergence(std::span<const archive::CurvePoint> curve, std::int64_t warmup_steps);

/// The same of a trial that has come to its end, where the last row decides.
std::string divergence_at_end(std::span<const archive::CurvePoint> curve, std::int64_t warmup_steps);

}  // namespace isogrid::train
