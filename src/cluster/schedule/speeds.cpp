#include "cluster/schedule/speeds.hpp"

#include <iterator>

namespace isogrid::cluster {

void Speeds::saw(double size, double flops, double seconds) {
    if (!(flops > 0) || !(seconds > 0)) return;
    Seen& seen = by_size_[size];
    seen.flops += flops;
    seen.seconds += seconds;
}

double Speeds::of(double size) const {
    if (empty()) return 1;
    auto nearest = by_size_.lower_bound(size);
    if (nearest == by_size_.end() ||
        (nearest != by_size_.begin() && size / std::prev(nearest)->first < nearest->first / size))
        --nearest;
    return nearest->second.flops / nearest->second.seconds;
}

}  // namespace isogrid::cluster
