#include "cluster/schedule/hosts.hpp"

namespace isogrid::cluster {

void Hosts::says(int rank, const std::string& host) {
    host_of_rank_[rank] = host;
    troubles_.try_emplace(host);
}

/// Where all of these ranks are.
std::optional<std::string> Hosts::host_of(const std::vector<int>& ranks) const {
    std::set<std::string> hosts;
    for (const int rank : ranks)
        if (const auto found = host_of_rank_.find(rank); found != host_of_rank_.end())
            hosts.insert(found->second);
    return hosts.size() == 1 ? std::optional(*hosts.begin()) : std::nullopt;
}

void Hosts::judge_ranks_of_a_single_host(const Seats& seats) {
    if (troubles_.size() != 1) return;
    troubles_.clear();
    for (auto& [worker, place] : host_of_rank_) {
        place += " rank " + std::to_string(seats.rank_of(worker));
        troubles_.try_emplace(place);
    }
}

void Hosts::ended_well(const std::vector<int>& ranks) {
    if (const auto host = host_of(ranks)) troubles_.at(*host).clear();
}

std::optional<std::string> Hosts::failed(const std::vector<int>& ranks, int trial) {
    const auto host = host_of(ranks);
    if (!host) return std::nullopt;
    ++failures_[*host][trial];
    return trouble(*host, trial);
}

std::optional<std::string> Hosts::fell_silent(int rank, int trial) {
    const auto host = host_of({rank});
    return host ? trouble(*host, trial) : std::nullopt;
}

std::optional<std::string> Hosts::trouble(const std::string& host, int trial) {
    if (set_aside_.contains(host)) return std::nullopt;
    std::set<int>& troubles = troubles_.at(host);
    troubles.insert(trial);
    if (troubles.size() < most_troubles || 2 * (set_aside_.size() + 1) > troubles_.size())
        return std::nullopt;
    set_aside_.insert(host);
    return host;
}

std::map<int, int> Hosts::failures_on(const std::string& host) const {
    const auto found = failures_.find(host);
    return found == failures_.end() ? std::map<int, int>() : found->second;
}

bool Hosts::is_set_aside(int rank) const {
    const auto found = host_of_rank_.find(rank);
    return found != host_of_rank_.end() && set_aside_.contains(found->second);
}

std::vector<int> Hosts::ranks_of(const std::string& host) const {
    std::vector<int> ranks;
    for (const auto& [rank, name] : host_of_rank_)
        if (name == host) ranks.push_back(rank);
    return ranks;
}

}  // namespace isogrid::cluster
