// What a worker makes of the notes it gets: which assignment is new, which attempt is to be left. Pure logic.
#pragma once

#include <optional>

#include "cluster/messages/protocol.hpp"

namespace isogrid::cluster {

class Duty {
  public:
    /// An assignment that is to be started. Nothing for other notes, which are remembered, and for an
    /// assignment that came twice or was taken back before it came. Throws std::logic_error on a new
    /// assignment while another is not left, std::runtime_error on a note that only workers send.
    std::optional<Assign> take(const Message& note);

    /// The attempt at hand has ended: what to tell the coordinator.
    Ready leave();

    bool sent_home() const { return sent_home_; }
    bool told_to_abandon() const { return busy_ && abandoned_ >= attempt_; }
    bool told_to_pause() const { return busy_ && pauses_ == attempt_; }

  private:
    int attempt_ = 0, abandoned_ = 0, pauses_ = 0;  ///< the last ones
    bool busy_ = false, sent_home_ = false;
};

}  // namespace isogrid::cluster
