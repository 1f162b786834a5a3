// How times, sizes and rates are written for people.
#pragma once

#include <cstddef>
#include <string>

namespace isogrid::program {

/// `0.4 s`, `42 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`.
std::string duration(double seconds);

/// `512 B`, `1.5 KiB`, `12 MiB`: powers of 1024, two to four digits.
std::string bytes(double count);

/// `950`, `1.25 k`, `12.5 M`: powers of 1000, three digits.
std::string count(double value);

/// `1 trial`, `2 trials`.
std::string plural(std::size_t number, const std::string& thing);

}  // namespace isogrid::program
