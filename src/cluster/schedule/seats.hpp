// The workers of a sweep as its coordinator counts them: where several trials train on one card at once, each
// of the card's seats is a worker of its own. Pure arithmetic.
#pragma once

namespace isogrid::cluster {

/// Ranks 1 .. `ranks` train, each with a card of its own that has `each` seats. Workers are numbered from 1,
/// the first seats of all ranks before the second ones: with one seat each a worker's number is its rank, and
/// so is that of a rank's first seat, whatever the others.
struct Seats {
    int ranks = 1;
    int each = 1;

    constexpr int workers() const { return ranks * each; }
    constexpr int worker(int rank, int seat) const { return seat * ranks + rank; }
    constexpr int rank_of(int worker) const { return each == 1 ? worker : (worker - 1) % ranks + 1; }
    constexpr int seat_of(int worker) const { return each == 1 ? 0 : (worker - 1) / ranks; }
    bool operator==(const Seats&) const = default;
};

/// Seats of a card where the job leaves the choice: CUDA has as many queues to a card for a process by
/// default (CUDA_DEVICE_MAX_CONNECTIONS), and more streams than that wait for one another.
inline constexpr int default_seats = 8;

}  // namespace isogrid::cluster
