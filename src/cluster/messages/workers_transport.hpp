// How rank 0 reaches the workers.
#pragma once

#include "cluster/messages/mpi_transport.hpp"
#include "cluster/messages/seat_notes.hpp"

namespace isogrid::cluster {

/// To the ranks, or to the seats of their cards.
class WorkersTransport {
  public:
    WorkersTransport(const MpiSession& session, const Seats& seats)
        : ranks_(session), seats_(ranks_, seats) {}
    Transport& operator*() { return seats_.is_one_each() ? static_cast<Transport&>(ranks_) : seats_; }

  private:
    MpiTransport ranks_;
    SeatedTransport seats_;
};

}  // namespace isogrid::cluster
