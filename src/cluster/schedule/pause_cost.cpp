#include "cluster/schedule/pause_cost.hpp"

#include <algorithm>

namespace isogrid::cluster {

void PauseCost::left_checkpoint(int trial, double now) {
    const auto found = asked_.find(trial);
    if (found == asked_.end()) return;
    seen_seconds_ += now - found->second;
    ++seen_;
    asked_.erase(found);
}

double PauseCost::seconds() const {
    return seen_ == 0 ? usual_pausing_seconds : std::max(usual_pausing_seconds, 2 * seen_seconds_ / seen_);
}

}  // namespace isogrid::cluster
