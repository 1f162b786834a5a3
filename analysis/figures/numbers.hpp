// How numbers are written for people: one way for text, tables and axes.
#pragma once

#include <string>

#include "analysis/figures/figure.hpp"

namespace isogrid::analysis {

/// `digits` significant digits, trailing zeros kept out, 1e+15 style only beyond six digits; `-` for NaN.
std::string format_significant(double value, int digits);

/// 1.25k, 3.1M, 70B, 1.4T: `digits` significant digits and a suffix.
std::string format_count(double value, int digits = 3);

/// By quantity: FLOPs as 3.2e+15, counts with a suffix, losses with four decimals.
std::string format_quantity(double value, Quantity quantity);

/// The same of a number; a text as it is.
std::string format_cell(const Cell& cell, Quantity quantity);

}  // namespace isogrid::analysis
