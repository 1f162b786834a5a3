// The end of every rank where one of them cannot go on: the others may wait for it in the midst of MPI, and
// would for ever.
#pragma once

#include <exception>

#include "cluster/site/mpi_session.hpp"

namespace isogrid::cluster {

/// Says what went wrong on this rank and ends all of them, with exit_other.
[[noreturn]] void end_all(const MpiSession& session, const std::exception& error);

/// What `work` gives. Where it throws on one of several ranks, all end; one alone may throw on.
template <class Work>
auto or_end_all(const MpiSession& session, const Work& work) {
    try {
        return work();
    } catch (const std::exception& error) {
        if (session.size() == 1) throw;
        end_all(session, error);
    }
}

}  // namespace isogrid::cluster
