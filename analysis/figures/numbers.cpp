#include "analysis/figures/numbers.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include "base/wording.hpp"

namespace isogrid::analysis {
namespace {

std::string print(const char* format, int precision, double value) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), format, precision, value);
    return text.data();
}

}  // namespace

std::string format_significant(double value, int digits) {
    return std::isnan(value) ? "-" : base::rounded(value, digits);
}

std::string format_count(double value, int digits) {
    if (std::isnan(value)) return "-";
    constexpr std::array suffixes = {"", "k", "M", "B", "T"};
    double scaled = value;
    for (const char* suffix : suffixes) {
        if (std::abs(scaled) < 999.5) return format_significant(scaled, digits) + suffix;
        scaled /= 1000;
    }
    return print("%.*e", digits - 1, value);
}

std::string format_quantity(double value, Quantity quantity) {
    if (std::isnan(value)) return "-";
    switch (quantity) {
        case Quantity::flops:
            return print("%.*e", 2, value);
        case Quantity::parameters:
        case Quantity::tokens:
            return format_count(value);
        case Quantity::loss:
            return print("%.*f", 4, value);
        case Quantity::percent:
            return base::rounded(100 * value) + "%";
        case Quantity::number:
        case Quantity::text:
            break;
    }
    return format_significant(value, 3);
}

std::string format_cell(const Cell& cell, Quantity quantity) {
    const double* value = std::get_if<double>(&cell);
    return value ? format_quantity(*value, quantity) : std::get<std::string>(cell);
}

}  // namespace isogrid::analysis
