#include "cluster/makespan.hpp"

#include <algorithm>
#include <cassert>
#include <functional>
#include <numeric>

namespace isogrid::cluster {

double list_schedule_makespan(std::span<const double> seconds, std::vector<double> free_at) {
    assert(!free_at.empty());
    double end = *std::max_element(free_at.begin(), free_at.end());
    std::make_heap(free_at.begin(), free_at.end(), std::greater<>());
    for (const double duration : seconds) {
        std::pop_heap(free_at.begin(), free_at.end(), std::greater<>());
        free_at.back() += duration;
        end = std::max(end, free_at.back());
        std::push_heap(free_at.begin(), free_at.end(), std::greater<>());
    }
    return end;
}

double longest_first_makespan(std::span<const double> seconds, int ranks) {
    std::vector<double> sorted(seconds.begin(), seconds.end());
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    return list_schedule_makespan(sorted, std::vector<double>(static_cast<std::size_t>(ranks), 0.0));
}

double makespan_lower_bound(std::span<const double> seconds, int ranks) {
    if (seconds.empty()) return 0;
    return std::max(*std::max_element(seconds.begin(), seconds.end()),
                    std::accumulate(seconds.begin(), seconds.end(), 0.0) / ranks);
}

}  // namespace isogrid::cluster
