// Pictures and tables as plain values: a law says what to show, the report decides how it looks.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace isogrid::analysis {

/// What a number measures, and so how it is written: 3.2e+15 FLOPs, 1.4M parameters, loss 2.345. A percent
/// is held as a share: .05 is written 5%.
enum class Quantity { flops, parameters, tokens, loss, percent, number, text };

struct Column {
    std::string key;    ///< in JSON
    std::string title;  ///< for people
    Quantity quantity = Quantity::number;
};

using Cell = std::variant<double, std::string>;

/// In JSON an array of objects under `key`.
struct Table {
    std::string key;
    std::string title;
    std::vector<Column> columns;
    std::vector<std::vector<Cell>> rows;
};

enum class Mark {
    line,      ///< through the points in order
    dashes,    ///< the same, broken
    dots,      ///< small filled circles, for many points
    points,    ///< filled circles
    rings,     ///< open circles
    diamonds,  ///< large, outlined: what to look at
    crosses,   ///< left out
    band       ///< between y and upper
};

struct Series {
    std::string label;  ///< in the legend; empty to leave out
    Mark mark = Mark::points;
    std::optional<double> shade;  ///< place on the palette, 0 (low budget) to 1 (high); absent: `ink`
    int ink = 0;  ///< without a shade: 0 near-black, 1 orange-red, 2 blue, 3 green, 4 grey, 5 purple, 6 sky
    std::vector<double> x, y;
    std::vector<double> upper;  ///< bands only
};

struct Axis {
    std::string title;  ///< with its unit
    Quantity quantity = Quantity::number;
    bool logarithmic = false;
    std::optional<double> highest = std::nullopt;  ///< what lies above is not shown
};

struct Figure {
    std::string key;    ///< `isoflop-curves`: names files and anchors
    std::string title;  ///< what one sees, as a sentence
    std::string caption;
    Axis x, y;
    std::vector<Series> series;
    std::string legend = {};  ///< heading of the legend
};

}  // namespace isogrid::analysis
