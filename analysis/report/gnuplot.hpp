// Figures drawn by gnuplot, called as a process.
#pragma once

#include <string>

#include "analysis/figures/figure.hpp"
#include "base/fault.hpp"

namespace isogrid::analysis {

/// The script that draws a figure as SVG to standard output, data included.
std::string gnuplot_script(const Figure& figure);

/// Runs gnuplot on the script. The SVG comes back fit for being inlined in HTML: no prologue, no outside
/// references, every id beginning with the figure's key. A fault when gnuplot is missing or fails.
base::Result<std::string> draw(const Figure& figure);

}  // namespace isogrid::analysis
