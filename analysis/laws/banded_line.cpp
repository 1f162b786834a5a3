#include "analysis/laws/banded_line.hpp"

#include <cmath>
#include <utility>

namespace isogrid::analysis {

BandedLine::BandedLine(std::string label, std::optional<double> shade, int ink)
    : line{std::move(label), Mark::line, shade, ink, {}, {}, {}}, band{"", Mark::band, shade, ink,
                                                                       {}, {},         {}} {}

void BandedLine::add(double x, const Estimate& y) {
    line.x.push_back(x), line.y.push_back(y.value);
    if (!std::isfinite(y.low)) return;
    band.x.push_back(x), band.y.push_back(y.low), band.upper.push_back(y.high);
}

void BandedLine::draw_into(Figure& figure) {
    if (!band.x.empty()) figure.series.push_back(std::move(band));
    figure.series.push_back(std::move(line));
}

void draw_interval(double x, const Estimate& y, std::optional<double> shade, int ink, Figure& figure) {
    if (std::isfinite(y.low))
        figure.series.push_back({"", Mark::line, shade, ink, {x, x}, {y.low, y.high}, {}});
}

}  // namespace isogrid::analysis
