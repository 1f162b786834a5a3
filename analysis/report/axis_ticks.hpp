// Where an axis has its ticks and what they say: gnuplot's own are unreadable on short logarithmic axes.
#pragma once

#include <string>
#include <vector>

#include "analysis/figures/figure.hpp"

namespace isogrid::analysis {

struct Tick {
    double at = 0;
    std::string label;  ///< empty for a minor tick; in gnuplot's enhanced text
};

/// Ticks for a logarithmic axis from low to high: decades when it spans three or more, 1-2-5 and finer below,
/// even steps below half a decade.
std::vector<Tick> logarithmic_ticks(double low, double high, Quantity quantity);

}  // namespace isogrid::analysis
