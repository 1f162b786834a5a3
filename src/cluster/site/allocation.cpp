#include "cluster/site/allocation.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace isogrid::cluster {

std::optional<double> seconds_to_end(double now) {
    const char* value = std::getenv("SLURM_JOB_END_TIME");
    if (value == nullptr) return std::nullopt;
    const std::string_view text = value;
    long long end = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), end);
    if (error != std::errc() || rest != text.data() + text.size() || end <= 0) return std::nullopt;
    return std::max(0.0, static_cast<double>(end) - now);
}

Deadline deadline_of(double seconds_to_end) {
    constexpr double minute = 60;
    const double stop_after = seconds_to_end - std::min(minute, seconds_to_end / 10);
    return {.stop_after = stop_after, .least_worth = std::min(minute, stop_after / 2)};
}

}  // namespace isogrid::cluster
