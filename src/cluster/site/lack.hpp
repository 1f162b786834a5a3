// Who is at fault where ranks lack what they need (a file, a card): the input, or a host.
#pragma once

#include <vector>

#include "cluster/site/mpi_session.hpp"

namespace isogrid::cluster {

/// Both false: no rank has it, so the input is at fault.
struct Lack {
    bool of_some = false;    ///< other ranks have it: another start may succeed
    bool of_a_host = false;  ///< and none of this host has: the next start should leave the host out
};

/// `on_host`: which ranks of this host, this one included, have it; `anywhere`: whether any rank has. Where
/// some ranks of a host have it and others lack it, the failure was a passing one, and not the host's.
Lack judge_lack(const std::vector<bool>& on_host, bool anywhere);

/// Judges what this rank `has` or lacks. Collective: every rank of the session calls it.
Lack lack_of(bool has, const MpiSession& session);

}  // namespace isogrid::cluster
