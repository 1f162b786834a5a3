#include "cluster/coordination/roster.hpp"

#include <algorithm>
#include <cassert>

namespace isogrid::cluster {

namespace {

// Who comes back may be a late note of a dead one: the limit must not grow until nobody is given up any more.
constexpr double most_growth = 16;  // times the first limit
constexpr double looks = 16;        // in the time of a silence limit; with 10,000 workers a look takes 10 us

}  // namespace

Roster::Roster(int workers, double silence_limit, double now)
    : workers_(static_cast<std::size_t>(workers), Worker{.heard = now}),
      silence_limit_(silence_limit),
      longest_limit_(most_growth * silence_limit),
      looked_(now),
      next_look_(now + silence_limit / looks),
      unheard_(workers) {}

bool Roster::heard(int rank, double now) {
    Worker& worker = at(rank);
    worker.heard = now;
    if (!worker.given_up) return false;
    worker.given_up = false;
    silence_limit_ = std::min(2 * silence_limit_, longest_limit_);
    return true;
}

bool Roster::asks(int rank, int attempt) {
    Worker& worker = at(rank);
    if (worker.waits || attempt != worker.attempt) return false;
    worker.waits = true;
    if (!worker.has_asked) {
        worker.has_asked = true;
        --unheard_;
    }
    return true;
}

void Roster::given(int rank, int attempt) {
    assert(at(rank).waits && attempt > at(rank).attempt);
    at(rank).attempt = attempt;
    at(rank).waits = false;
}

int Roster::busy_with(int rank) const {
    return at(rank).waits ? -1 : at(rank).attempt;
}

std::vector<int> Roster::fallen_silent(double now) {
    std::vector<int> silent;
    if (now - looked_ > silence_limit_ / 4)
        for (Worker& worker : workers_)
            worker.heard += now - looked_;
    looked_ = now;
    if (now < next_look_) return silent;
    next_look_ = now + silence_limit_ / looks;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        Worker& worker = workers_[i];
        if (worker.given_up || now - worker.heard < silence_limit_) continue;
        worker.given_up = true;
        worker.waits = false;  // so that it is news when it asks again
        if (!worker.has_asked) {
            worker.has_asked = true;
            --unheard_;
        }
        silent.push_back(static_cast<int>(i) + 1);
    }
    return silent;
}

}  // namespace isogrid::cluster
