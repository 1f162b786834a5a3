#include "program/quantities.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace isogrid::program {

namespace {

std::string format(const char* pattern, auto... values) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), pattern, values...);
    return text.data();
}

}  // namespace

std::string duration(double seconds) {
    if (seconds < 9.95) return format("%.1f s", seconds);
    const auto whole = static_cast<long long>(std::llround(seconds));
    if (whole < 60) return format("%lld s", whole);
    if (whole < 3600) return format("%lld min %02lld s", whole / 60, whole % 60);
    if (whole < 86400) return format("%lld h %02lld min", whole / 3600, whole / 60 % 60);
    return format("%lld d %lld h", whole / 86400, whole / 3600 % 24);
}

std::string bytes(double count) {
    constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    for (; count >= 1024 && unit + 1 < units.size(); ++unit)
        count /= 1024;
    return format(unit > 0 && count < 9.95 ? "%.1f %s" : "%.0f %s", count, units[unit]);
}

std::string count(double value) {
    constexpr std::array units = {"", " k", " M", " G", " T"};
    std::size_t unit = 0;
    for (; value >= 999.5 && unit + 1 < units.size(); ++unit)
        value /= 1000;
    return format(value < 9.995 && unit > 0   ? "%.2f%s"
                  : value < 99.95 && unit > 0 ? "%.1f%s"
                                              : "%.0f%s",
                  value, units[unit]);
}

std::string plural(std::size_t number, const std::string& thing) {
    return std::to_string(number) + " " + thing + (number == 1 ? "" : "s");
}

}  // namespace isogrid::program
