// Which host each worker is on, and which hosts get no more work because trials keep ending badly there. Pure
// logic.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/schedule/seats.hpp"

namespace isogrid::cluster {

/// So many trials in a row, all different, must end badly on a host before it is set aside.
inline constexpr std::size_t most_troubles = 2;

class Hosts {
  public:
    /// `rank` is on `host`, as it says before it asks for work. A rank that says nothing counts with none.
    void says(int rank, const std::string& host);

    /// A trial has ended well on these ranks: what went wrong on their host before was not the host's fault.
    void ended_well(const std::vector<int>& ranks);

    /// A trial failed on these ranks. A group that spans hosts blames none of them. The host that is now set
    /// aside, if one is: never more than half of all, as what goes wrong everywhere is not a host's fault.
    std::optional<std::string> failed(const std::vector<int>& ranks, int trial);

    /// As failed() has it, where `rank` fell silent, with a trial or with none (a negative number of its
    /// own).
    std::optional<std::string> fell_silent(int rank, int trial);

    /// Where all workers are on a single host, judges each rank from now on as if it were a host, `HOST rank
    /// RANK`: its card may be at fault. To be called once every worker has named its host.
    void judge_ranks_of_a_single_host(const Seats& seats);

    /// How often each trial has failed on `host`.
    std::map<int, int> failures_on(const std::string& host) const;

    bool is_set_aside(int rank) const;
    std::vector<int> ranks_of(const std::string& host) const;  ///< rising

  private:
    std::optional<std::string> host_of(const std::vector<int>& ranks) const;
    std::optional<std::string> trouble(const std::string& host, int trial);

    std::map<int, std::string> host_of_rank_;
    std::map<std::string, std::set<int>> troubles_;  ///< by host: trials since the last that ended well
    std::map<std::string, std::map<int, int>> failures_;
    std::set<std::string> set_aside_;
};

}  // namespace isogrid::cluster
