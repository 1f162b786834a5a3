// Time in seconds, by the two clocks that there are.
#pragma once

#include <chrono>

namespace isogrid::cluster {

/// Seconds by a clock that nobody sets: for spans of time within one process.
inline double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds since 1970, by a clock that a person or a time server may set: for dates, and to compare with
/// files.
inline double unix_seconds() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace isogrid::cluster
