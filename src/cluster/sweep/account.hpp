// How long a sweep took beside what was predicted: facts for the archive, never digested.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "archive/provenance.hpp"

namespace isogrid::cluster {

/// What one start of a sweep took, without trials that earlier starts finished. Seconds count from the first
/// assignment.
struct SweepAccount {
    int workers = 1;
    double seconds = 0;                                              ///< until the last trial ended
    double busy_rank_seconds = 0;                                    ///< that workers spent on trials
    double predicted_at = std::numeric_limits<double>::quiet_NaN();  ///< when a speed was first known
    double predicted_seconds = std::numeric_limits<double>::quiet_NaN();
    double lower_bound_seconds =
        std::numeric_limits<double>::quiet_NaN();  ///< of any schedule, as known then

    std::vector<std::string> hosts_set_aside = {};  ///< that got no more work

    double idle_share() const { return seconds > 0 ? 1 - busy_rank_seconds / (workers * seconds) : 0; }
};

/// `facts`, and behind them sweep_workers, sweep_seconds, sweep_idle_share and, where anything was predicted,
/// sweep_predicted_seconds, sweep_lower_bound_seconds and sweep_predicted_at; sweep_hosts_set_aside where
/// there are any. A start that trained nothing adds nothing.
archive::Facts with_account(archive::Facts facts, const SweepAccount& account);

}  // namespace isogrid::cluster
