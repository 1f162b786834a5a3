#include "cluster/sweep/account.hpp"

#include <cmath>

#include "base/wording.hpp"

namespace isogrid::cluster {

archive::Facts with_account(archive::Facts facts, const SweepAccount& account) {
    if (!(account.seconds > 0)) return facts;
    const auto add = [&](const char* name, double value) {
        if (std::isfinite(value)) facts.push_back({name, base::rounded(value, 6)});
    };
    add("sweep_workers", account.workers);
    add("sweep_seconds", account.seconds);
    add("sweep_idle_share", account.idle_share());
    add("sweep_predicted_seconds", account.predicted_seconds);
    add("sweep_lower_bound_seconds", account.lower_bound_seconds);
    add("sweep_predicted_at", account.predicted_at);
    if (!account.hosts_set_aside.empty())
        facts.push_back({"sweep_hosts_set_aside", base::listed(account.hosts_set_aside)});
    return facts;
}

}  // namespace isogrid::cluster
