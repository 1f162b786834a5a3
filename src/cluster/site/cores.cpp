#include "cluster/site/cores.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <sched.h>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

namespace isogrid::cluster {

namespace {

using Kind = Place::Kind;

/// First threads of physical cores first, then second ones, ...
Cores in_order_of_choice(const Cores& cores, const PhysicalCore& physical) {
    std::map<int, int> threads_before;
    std::vector<std::tuple<int, int>> order;
    for (const int core : cores)
        order.emplace_back(threads_before[physical(core)]++, core);
    std::sort(order.begin(), order.end());
    Cores chosen;
    for (const auto& [before, core] : order)
        chosen.push_back(core);
    return chosen;
}

/// Whether `workers` need no more than half of the physical cores that they may use and nobody has.
bool is_roomy(const std::vector<std::size_t>& workers, std::span<const Cores> allowed, int threads,
              const std::set<int>& taken, const PhysicalCore& physical) {
    std::set<int> free;
    for (const std::size_t worker : workers)
        for (const int core : allowed[worker])
            if (!taken.contains(core)) free.insert(physical(core));
    return 2 * workers.size() * static_cast<std::size_t>(threads) <= free.size();
}

/// The `key` of a list of cgroups: `0::/user.slice` has the key "", `4:cpu,cpuacct:/user` the key "cpu".
std::filesystem::path own_cgroup(const std::string& key) {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        std::istringstream keys(line.substr(first + 1, second - first - 1) + ",");
        for (std::string one; std::getline(keys, one, ',');)
            if (one == key) return line.substr(second + 1);
    }
    return "/";
}

/// Cores' worth of processor time that one cgroup may use; a large number where there is no limit.
double cores_granted(const std::filesystem::path& cgroup) {
    constexpr double no_limit = 1e9;
    double quota = 0, period = 0;
    if (std::ifstream file(cgroup / "cpu.max"); file >> quota >> period && period > 0) return quota / period;
    std::ifstream old_quota(cgroup / "cpu.cfs_quota_us"), old_period(cgroup / "cpu.cfs_period_us");
    if (old_quota >> quota && old_period >> period && quota > 0 && period > 0) return quota / period;
    return no_limit;
}

/// The same, of this process's cgroup and all above it.
double cores_granted_here() {
    double granted = 1e9;
    for (const auto& [root, key] : {std::pair<std::filesystem::path, std::string>{"/sys/fs/cgroup", ""},
                                    {"/sys/fs/cgroup/cpu", "cpu"}}) {
        std::filesystem::path below = own_cgroup(key).relative_path();
        granted = std::min(granted, cores_granted(root));
        for (; !below.empty(); below = below.parent_path())
            granted = std::min(granted, cores_granted(root / below));
    }
    return granted;
}

/// Room for more cores than any machine has; the kernel refuses a set that is too small for its own.
using CoreSet = std::array<cpu_set_t, 16>;

}  // namespace

std::vector<Place> place_workers(std::span<const Cores> allowed, int threads, const PhysicalCore& physical) {
    std::vector<Place> places(allowed.size());
    std::set<int> taken;
    std::vector<std::size_t> open;
    for (std::size_t worker = 0; worker < allowed.size(); ++worker) {
        const auto choice = static_cast<int>(allowed[worker].size());
        if (choice == 0) continue;
        if (choice > threads) {
            open.push_back(worker);
            continue;
        }
        places[worker].kind = choice < threads ? Kind::narrow : Kind::bound;
        taken.insert(allowed[worker].begin(), allowed[worker].end());
    }
    if (is_roomy(open, allowed, threads, taken, physical)) return places;

    std::stable_sort(open.begin(), open.end(), [&](std::size_t one, std::size_t other) {
        return allowed[one].size() < allowed[other].size();
    });
    for (const std::size_t worker : open) {
        Cores& cores = places[worker].cores;
        for (const int core : in_order_of_choice(allowed[worker], physical))
            if (static_cast<int>(cores.size()) < threads && taken.insert(core).second) cores.push_back(core);
        std::sort(cores.begin(), cores.end());
        places[worker].kind = Kind::pinned;
        if (static_cast<int>(cores.size()) == threads) continue;
        for (const std::size_t any : open)
            places[any] = {.kind = Kind::crowded};
        break;
    }
    return places;
}

Cores allowed_cores() {
    CoreSet set{};
    if (sched_getaffinity(0, sizeof set, set.data()) != 0) return {};
    Cores cores;
    for (int core = 0; core < static_cast<int>(8 * sizeof set); ++core)
        if (CPU_ISSET_S(core, sizeof set, set.data())) cores.push_back(core);
    return cores_granted_here() < static_cast<double>(cores.size()) ? Cores() : cores;
}

int physical_core(int core) {
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(core) +
                       "/topology/thread_siblings_list");
    int first = core;
    return file >> first ? first : core;  // `0,64` or `0-1`
}

bool pin_to(const Cores& cores) {
    CoreSet set{};
    for (const int core : cores)
        CPU_SET_S(core, sizeof set, set.data());
    return sched_setaffinity(0, sizeof set, set.data()) == 0;
}

}  // namespace isogrid::cluster
