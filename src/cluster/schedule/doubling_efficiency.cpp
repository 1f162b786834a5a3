#include "cluster/schedule/doubling_efficiency.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace isogrid::cluster {

namespace {

constexpr double usual_counts_as = 10;  // seconds

int doublings(int ranks) {
    assert(std::has_single_bit(static_cast<unsigned>(ranks)));
    return std::countr_zero(static_cast<unsigned>(ranks));
}

}  // namespace

double effective_ranks(int ranks, double doubling_efficiency) {
    return ranks * std::pow(doubling_efficiency, doublings(ranks));
}

void DoublingEfficiency::ran(int trial, int ranks, double flops, double seconds) {
    if (!(flops > 0) || !(seconds > 0)) return;
    std::map<int, Speed>& by_ranks = seen_[trial];
    for (const auto& [others, speed] : by_ranks) {
        const int apart = doublings(ranks) - doublings(others);
        if (apart == 0) continue;
        const double ratio = (flops / seconds) / (speed.flops / speed.seconds);
        const double weight = std::min(seconds, speed.seconds);
        // A rank that stood still for a while says nothing of groups.
        weighted_logarithms_ += weight * std::clamp(std::log2(ratio) / apart - 1, -1.0, 0.0);
        weight_ += weight;
    }
    by_ranks[ranks].flops += flops;
    by_ranks[ranks].seconds += seconds;
}

double DoublingEfficiency::value() const {
    const double usual = usual_counts_as * std::log2(usual_doubling_efficiency);
    return std::clamp(std::exp2((usual + weighted_logarithms_) / (usual_counts_as + weight_)), 0.5, 1.0);
}

}  // namespace isogrid::cluster
