// Every worker of a job on cores of its own, as far as the launcher has left that to us.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/site/mpi_session.hpp"

namespace isogrid::cluster {

/// How many workers, of all nodes, are not on cores of their own although they should be.
struct Misplaced {
    int crowded = 0, narrow = 0;
};

/// Puts this rank on cores of its own if it is a worker, may and `pin` is true; every rank calls it. The
/// coordinator sleeps most of the time, on whichever core.
Misplaced take_place(const MpiSession& session, std::int64_t threads_per_rank, bool pin);

/// What a person can do about misplaced workers, a line for each kind.
std::vector<std::string> warnings_of(const Misplaced& misplaced, std::int64_t threads_per_rank);

}  // namespace isogrid::cluster
