#include "analysis/report/axis_ticks.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/figures/numbers.hpp"

namespace isogrid::analysis {
namespace {

std::string label_of(double leading, int decade, Quantity quantity) {
    const double value = leading * std::pow(10.0, decade);
    if (quantity == Quantity::parameters || quantity == Quantity::tokens) return format_count(value);
    if (quantity != Quantity::flops) return format_significant(value, 3);
    const std::string power = "10^{" + std::to_string(decade) + "}";
    return leading == 1 ? power
                        : format_significant(leading, 3) + "\xC3\x97" + power;  // U+00D7, the times sign
}

/// Even steps of 1, 2 or 5 times a power of ten, about five of them: an axis so short is nearly linear.
std::vector<Tick> even_ticks(double low, double high, Quantity quantity) {
    const int decade = static_cast<int>(std::floor(std::log10(low)));
    const double rough = (high - low) / 5, power = std::pow(10.0, std::floor(std::log10(rough)));
    const double step = power * (rough < 1.5 * power   ? 1
                                 : rough < 3.5 * power ? 2
                                 : rough < 7.5 * power ? 5
                                                       : 10);
    std::vector<Tick> ticks;
    for (double k = std::ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9); ++k)
        ticks.push_back({k * step, label_of(k * step / std::pow(10.0, decade), decade, quantity)});
    return ticks;
}

}  // namespace

std::vector<Tick> logarithmic_ticks(double low, double high, Quantity quantity) {
    const double decades = std::log10(high / low);
    constexpr double nearly_linear = 0.5;
    if (decades < nearly_linear) return even_ticks(low, high, quantity);
    std::vector<int> labelled = {1};
    if (decades < 3) labelled = {1, 3};
    if (decades < 2) labelled = {1, 2, 5};
    if (decades < 0.8) labelled = {1, 2, 3, 4, 5, 6, 8};
    const int stride = decades > 16 ? 4 : decades > 8 ? 2 : 1;
    std::vector<Tick> ticks;
    for (int decade = static_cast<int>(std::floor(std::log10(low))); std::pow(10.0, decade) <= high; ++decade)
        for (int leading = 1; leading <= 9; ++leading) {
            const double at = leading * std::pow(10.0, decade);
            if (at < low * (1 - 1e-9) || at > high * (1 + 1e-9)) continue;
            const bool major = std::find(labelled.begin(), labelled.end(), leading) != labelled.end() &&
                               (decade % stride == 0);
            ticks.push_back({at, major ? label_of(leading, decade, quantity) : ""});
        }
    return ticks;
}

}  // namespace isogrid::analysis
