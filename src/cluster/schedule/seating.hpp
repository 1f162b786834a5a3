// Who trains on which card: workers that are idle, trials that run, and where the next one may start. Pure
// logic. Where every worker has its card to itself this is a set of idle ranks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "cluster/schedule/packing.hpp"
#include "cluster/schedule/priority.hpp"
#include "cluster/schedule/seats.hpp"

namespace isogrid::cluster {

/// The cards of a sweep, all of one kind, and how trials share them.
struct Cards {
    Seats seats = {};
    std::int64_t bytes = 0;  ///< of a card's memory that trials may plan to take; 0: as much as they like
    bool measure = true;     ///< what trials do together decides how many; else there are as many as seats
};

class Seating {
  public:
    explicit Seating(const Cards& cards);

    void idle(int worker, double now);
    /// Forgets `worker`, and what it ran.
    void gone(int worker, double now);
    void take(const std::vector<int>& workers, const Task& task, double now);

    bool anybody_idle() const { return !idle_.empty(); }
    /// Cards on which nothing runs.
    int free_cards() const;
    /// Cards with a worker that is there; workers, where each has a card of its own.
    int cards_there() const;

    /// The workers that are to run `task` now, one each on `group` cards; none where it must wait. A group,
    /// and a trial that was out of memory among others, gets whole cards, and shares them with nobody. Others
    /// go to the card with the fewest trials that has room for one more: a seat, memory, and as few trials as
    /// are worth having there, for the sizes of all that would be on it.
    std::vector<int> seats_for(const Task& task, int group) const;

    /// Whether such a trial on `group` workers shares its cards with nobody, as all do where each worker has
    /// a card of its own.
    bool has_alone(const Task& task, int group) const { return seats_.each == 1 || group > 1 || task.alone; }

    /// Trials that are on this worker's card, the worker's own among them.
    int together(int worker) const;
    /// When the trials on this worker's card last became others.
    double changed_at(int worker) const;
    /// The trials on its card: what each worker there was given last, until it is idle again.
    std::vector<int> trials_beside(int worker) const;

    /// The trials on each card that is there; an empty list where the card is free.
    std::vector<std::vector<int>> trials_by_card() const;

    /// A trial on `worker` has done this many FLOPs in so many seconds, in all of which the card had the
    /// trials that it has now.
    void measured(int worker, double size, double flops, double seconds);
    /// Trials of models of this size that a card has at once, as far as is known.
    int worth(double size) const { return packing_.worth(size); }

  private:
    struct Busy {
        int trial = 0;
        std::int64_t bytes = 0;
        double size = 1;
        bool whole_card = false;
    };
    struct Card {
        std::set<int> idle;        ///< workers
        std::map<int, Busy> busy;  ///< by worker
        double changed_at = 0;
    };
    static std::vector<int> trials_of(const Card& card);
    bool has_room(const Card& card, const Task& task, int worth) const;

    Seats seats_;
    std::int64_t bytes_;
    Packing packing_;
    std::set<int> idle_;         ///< all workers that are
    std::map<int, Card> cards_;  ///< by rank
};

}  // namespace isogrid::cluster
