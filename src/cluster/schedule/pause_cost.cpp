#include "cluster/schedule/pause_cost.hpp"

#include <algorithm>

namespace isogrid::cluster {

void PauseCost::left_checkpoint(double seconds) {
    seen_seconds_ += std::max(0.0, seconds);
    ++seen_;
}

double PauseCost::seconds() const {
    return seen_ == 0 ? usual_pausing_seconds : std::max(usual_pausing_seconds, 2 * seen_seconds_ / seen_);
}

}  // namespace isogrid::cluster
