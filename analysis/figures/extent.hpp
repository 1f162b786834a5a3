// How far values reach and what lies between their ends: the axes and the shades of pictures.
#pragma once

#include <functional>
#include <limits>
#include <vector>

namespace isogrid::analysis {

/// From the lowest to the highest of some positive numbers; `low` above `high` of none.
struct Extent {
    double low = std::numeric_limits<double>::infinity(), high = 0;

    void add(double value);
    /// How far up between both ends a value lies, in logarithms: 0 to 1, and 1/2 where the ends are one. A
    /// place on the palette.
    double place(double value) const;
};

/// Of a number (a function or a member) of each of `items`.
template <class Items, class Of>
Extent extent_of(const Items& items, const Of& of) {
    Extent extent;
    for (const auto& item : items)
        extent.add(std::invoke(of, item));
    return extent;
}

/// `steps` + 1 numbers from `low` to `high`, even in logarithms.
std::vector<double> log_spaced(double low, double high, int steps);

}  // namespace isogrid::analysis
