// What a law says along an axis with how sure of it it is: a line in its 95% band, and intervals of points.
#pragma once

#include <optional>
#include <string>

#include "analysis/figures/figure.hpp"
#include "analysis/fit/bootstrap.hpp"

namespace isogrid::analysis {

/// A line, and the band of its intervals where they are known.
struct BandedLine {
    Series line, band;

    /// Colours as those of a Series. The band has no label of its own.
    BandedLine(std::string label, std::optional<double> shade, int ink);
    void add(double x, const Estimate& y);
    /// The band below, the line upon it; leaves both empty.
    void draw_into(Figure& figure);
};

/// A vertical bar over an estimate's interval; nothing where it has none.
void draw_interval(double x, const Estimate& y, std::optional<double> shade, int ink, Figure& figure);

}  // namespace isogrid::analysis
