#include "cluster/schedule/packing.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace isogrid::cluster {

namespace {

/// Models whose parameters differ by less than a factor of two, about, are of one size.
int octave_of(double size) {
    return static_cast<int>(std::lround(std::log2(size)));
}

}  // namespace

void Packing::measured(double size, int together, double flops, double seconds) {
    if (!measure_ || most_ == 1 || !(flops >= 0) || !(seconds > 0)) return;
    Speed& speed = speeds_[octave_of(size)][together];
    speed.flops += flops;
    speed.seconds += seconds;
}

/// What was measured of the nearest size of which there is enough to judge; of two as near, the smaller.
const std::map<int, Packing::Speed>* Packing::nearest(double size) const {
    const int octave = octave_of(size);
    const std::map<int, Speed>* best = nullptr;
    int distance = 0;
    for (const auto& [of_size, speeds] : speeds_) {
        const int here = std::abs(of_size - octave);
        if (best != nullptr && here >= distance) continue;
        if (std::none_of(speeds.begin(), speeds.end(),
                         [&](const auto& speed) { return sum_of(speeds, speed.first) > 0; }))
            continue;
        best = &speeds;
        distance = here;
    }
    return best;
}

double Packing::sum_of(const std::map<int, Speed>& speeds, int together) {
    const auto found = speeds.find(together);
    if (found == speeds.end() || found->second.seconds < least_seconds * together) return 0;
    return together * found->second.flops / found->second.seconds;
}

double Packing::speed(double size, int together) const {
    const auto* speeds = nearest(size);
    return speeds == nullptr ? 0 : sum_of(*speeds, together);
}

int Packing::worth(double size) const {
    if (!measure_) return most_;
    const auto* speeds = nearest(size);
    if (speeds == nullptr) return 1;
    int good = 0;  // the largest number that was judged, and has paid
    double sum = 0;
    for (const auto& [together, measured] : *speeds) {
        const double here = sum_of(*speeds, together);
        if (here == 0) continue;
        if (good > 0 && here < sum * std::pow(least_gain, together - good)) return good;
        good = together;
        sum = here;
    }
    return good < most_ ? good + 1 : most_;
}

}  // namespace isogrid::cluster
