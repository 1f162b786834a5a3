// How the coordinator and its workers pass notes to each other, and what time they have: MPI in real runs, a
// simulation with a virtual clock in tests.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace isogrid::cluster {

/// What arrived, and from which rank.
struct Envelope {
    int from = 0;
    std::vector<std::byte> bytes;
};

class Transport {
  public:
    virtual ~Transport() = default;
    virtual int rank() const = 0;
    virtual int size() const = 0;

    /// Hands a small note over; the bytes may be reused on return. Notes between two ranks keep their order.
    virtual void send(std::span<const std::byte> bytes, int to) = 0;

    /// The next note that has arrived, from whomever; nothing when there is none. Never waits.
    virtual std::optional<Envelope> try_receive() = 0;

    /// Seconds on a clock that never goes back.
    virtual double now() const = 0;

    /// Waits some microseconds or milliseconds, the more the longer nothing came, and gives the core away: a
    /// blocking MPI receive would burn it.
    virtual void wait_briefly() = 0;
};

}  // namespace isogrid::cluster
