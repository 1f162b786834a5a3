#include "analysis/figures/numbers.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include "study/wording.hpp"

namespace isogrid::analysis {
namespace {

std::string print(const char* format, int precision, double value) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), format, precision, value);
    return text.data();
}

}  // namespace

std::string format_significant(double value, int digits) {
    return std::isnan(value) ? "-" : study::rounded(value, digits);
}

std::string format_count(double value, int digits) {
    if (std::isnan(value)) return "-";
    constexpr std::array suffixes = {"", "k", "M", "B", "T"};
    std::size_t step = 0;
    while (step + 1 < suffixes.size() && std::abs(value) >= 999.5) {
        value /= 1000;
        ++step;
    }
    return (std::abs(value) >= 999.5 ? print("%.*e", digits - 1, value) : format_significant(value, digits)) +
           suffixes[step];
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
            return study::rounded(100 * value) + "%";
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
