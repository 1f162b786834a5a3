// The multi-power law at a point of a schedule, with its slopes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "analysis/laws/schedule.hpp"

namespace isogrid::analysis {

/// A change of the learning rate: by how much it falls, to what, and how much was summed up before it.
struct RateChange {
    double fall = 0, log_rate = 0, sum = 0;
    std::size_t from = 0;  ///< the first point that it matters for
};

/// A schedule as the law sees it: the sum of learning rates at each of its points, and the changes. Small
/// changes are joined into one of at least 1 / `resolution` of the peak.
struct SchedulePath {
    std::vector<double> sum;
    std::vector<RateChange> changes;

    SchedulePath(const Schedule& schedule, double resolution);
};

/// Loss at point `i`, and its derivatives by log L0, log A at the reference sum, log alpha, log B, log C, log
/// beta and gamma where `gradient` is not empty. Rates and sums are in units of `unit`, so that B is in nats.
struct MultiPower {
    double floor, a, alpha, b, log_c, beta, gamma, unit, log_reference;

    double operator()(const SchedulePath& path, std::size_t i, std::span<double> gradient) const;
};

}  // namespace isogrid::analysis
