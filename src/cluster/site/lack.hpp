// What some ranks have and others lack, as where a node has lost sight of a file.
#pragma once

#include <vector>

#include "cluster/site/mpi_session.hpp"

namespace isogrid::cluster {

/// Whose fault it is that a rank lacks something; all false: the input's, as nobody has it.
struct Lack {
    bool of_some = false;    ///< others have it: another start may go well
    bool of_a_host = false;  ///< and no rank of this host has: another start should go without it
};

/// Whether ranks `on_host` have it, of which this is one, and whether one has anywhere. A host of which one
/// rank sees what another does not has not lost it for good.
Lack judge_lack(const std::vector<bool>& on_host, bool anywhere);

/// The same of what this rank `has` or lacks; all ranks must ask.
Lack lack_of(bool has, const MpiSession& session);

}  // namespace isogrid::cluster
