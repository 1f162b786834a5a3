// Who is there: which workers have been heard of lately, and what each was given last. Pure logic.
#pragma once

#include <cstddef>
#include <vector>

namespace isogrid::cluster {

/// Seconds without a note after which a worker is given up. Long: between two steps nobody speaks, and who is
/// given up too early costs a trial trained twice.
inline constexpr double default_silence_limit = 600;

class Roster {
  public:
    /// Workers are ranks 1 .. `workers`; all are there, and busy starting, at time `now` (seconds).
    Roster(int workers, double silence_limit, double now);

    /// A note came from `rank`. True when it had been given up: it is there again, and as the limit was too
    /// short for it, the limit doubles, up to 16 times the first.
    bool heard(int rank, double now);

    /// `rank` says that it has left `attempt` and wants work. True when that is news: not when it was given
    /// something else since (the note is an old one), nor when it is known to wait.
    bool asks(int rank, int attempt);

    void given(int rank, int attempt);

    /// The attempt that `rank` was given last; 0 before the first, and -1 when it waits for another.
    int busy_with(int rank) const;

    /// The workers that have been silent for too long: they are given up from now on. Time in which nobody
    /// looked does not count: a coordinator that was suspended has missed notes. To be called when all notes
    /// are read.
    std::vector<int> fallen_silent(double now);

    /// Every worker has asked for work or has been given up.
    bool complete() const { return unheard_ == 0; }
    /// Whether `rank` has not been given up.
    bool is_there(int rank) const { return !at(rank).given_up; }
    double silence_limit() const { return silence_limit_; }

  private:
    struct Worker {
        double heard = 0;
        int attempt = 0;
        bool waits = false, has_asked = false, given_up = false;
    };
    Worker& at(int rank) { return workers_[static_cast<std::size_t>(rank - 1)]; }
    const Worker& at(int rank) const { return workers_[static_cast<std::size_t>(rank - 1)]; }

    std::vector<Worker> workers_;
    double silence_limit_, longest_limit_, looked_, next_look_;
    int unheard_;  ///< workers that have neither asked for work nor been given up
};

}  // namespace isogrid::cluster
