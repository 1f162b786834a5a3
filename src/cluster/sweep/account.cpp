#include "cluster/sweep/account.hpp"

#include <cmath>
#include <cstdio>
#include <string>
#include <utility>

namespace isogrid::cluster {

archive::Facts with_account(archive::Facts facts, const SweepAccount& account) {
    if (!(account.seconds > 0)) return facts;
    const auto add = [&](const char* name, double value) {
        char text[32];
        std::snprintf(text, sizeof text, "%.6g", value);
        if (std::isfinite(value)) facts.push_back({name, text});
    };
    add("sweep_workers", account.workers);
    add("sweep_seconds", account.seconds);
    add("sweep_idle_share", account.idle_share());
    add("sweep_predicted_seconds", account.predicted_seconds);
    add("sweep_lower_bound_seconds", account.lower_bound_seconds);
    add("sweep_predicted_at", account.predicted_at);
    std::string hosts;
    for (const std::string& host : account.hosts_set_aside)
        hosts += (hosts.empty() ? "" : ", ") + host;
    if (!hosts.empty()) facts.push_back({"sweep_hosts_set_aside", hosts});
    return facts;
}

}  // namespace isogrid::cluster
