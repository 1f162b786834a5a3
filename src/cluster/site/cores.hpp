// Which cores the ranks of a node compute on. A rank whose threads wander between cores finds its caches cold
// and, on another socket, its memory far away; two on one core take twice as long while others idle.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace isogrid::cluster {

using Cores = std::vector<int>;  ///< the kernel's numbers, rising

/// A core's physical core: cores with the same answer share one (hyperthreads).
using PhysicalCore = std::function<int(int core)>;

/// Where a worker computes, seen from its node.
struct Place {
    enum class Kind {
        left,     ///< as it was: the cores are not ours alone, or there are plenty
        bound,    ///< as the launcher put it, on just the cores it needs
        pinned,   ///< on `cores` of its own
        crowded,  ///< as it was: workers need more cores than there are
        narrow    ///< as it was: the launcher left it fewer cores than it has threads
    };
    Kind kind = Kind::left;
    Cores cores = {};  ///< when pinned
    bool operator==(const Place&) const = default;
};

/// Places for the workers of one node, by the cores that each may use (none where that is not known) and the
/// threads each computes with. Workers that the launcher bound keep their cores; each of the others gets the
/// first cores of its own that nobody has, one a physical core as long as there are such, the workers with
/// the least choice first. Where not all of them find enough, none is moved; nor where they need no more than
/// half of what there is: then another sweep may be beside this one and pin to the same cores, and the kernel
/// finds idle ones by itself.
std::vector<Place> place_workers(std::span<const Cores> allowed, int threads, const PhysicalCore& physical);

/// The cores that this thread may use. None where they are not known, or where a container's share of
/// processor time is less than that many cores: then they are others' too.
Cores allowed_cores();

/// The first of the cores that share a physical core with `core`, by what the kernel says.
int physical_core(int core);

/// Keeps this thread, and those that it will start, on `cores`. False when the kernel refuses.
bool pin_to(const Cores& cores);

}  // namespace isogrid::cluster
