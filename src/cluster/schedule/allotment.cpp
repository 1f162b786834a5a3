#include "cluster/schedule/allotment.hpp"

#include <algorithm>
#include <cassert>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>

namespace isogrid::cluster {

namespace {

constexpr double good_enough = 1.005;  // over the mean load: a group's own loss is larger than half a percent

/// When ranks are free, the first one first, ranks that are free at the same time together.
class FreeRanks {
  public:
    explicit FreeRanks(std::vector<double> times) : times_(std::move(times)) {
        std::make_heap(times_.begin(), times_.end(), std::greater<>());
    }

    std::size_t size() const { return times_.size(); }

    /// Takes `count` more of those free first; when the last of all taken is free.
    double take(int count) {
        for (int i = 0; i < count; ++i) {
            std::pop_heap(times_.begin(), times_.end() - taken_, std::greater<>());
            ++taken_;
        }
        return times_[times_.size() - static_cast<std::size_t>(taken_)];
    }

    /// Those taken are free again at `time`.
    void give_back(double time) {
        for (; taken_ > 0; --taken_) {
            times_[times_.size() - static_cast<std::size_t>(taken_)] = time;
            std::push_heap(times_.begin(), times_.end() - taken_ + 1, std::greater<>());
        }
    }

    double last() const { return *std::max_element(times_.begin(), times_.end()); }

  private:
    std::vector<double> times_;  ///< a heap, and behind it those taken
    std::ptrdiff_t taken_ = 0;
};

/// Rank-seconds that the trials take at least if each ends within `deadline`; infinite where one cannot.
double least_work(std::span<const Waiting> trials, int ranks, double deadline) {
    constexpr double never = std::numeric_limits<double>::infinity();
    double work = 0;
    for (const Waiting& trial : trials) {
        const double available = deadline - trial.ready_at;
        if (!(available > 0)) return never;
        if (trial.seconds <= available) {
            work += trial.seconds;
            continue;
        }
        // Larger groups do less with each rank, so it spends its time in two sizes next to each other.
        int size = 1;
        while (2 * size <= std::min(trial.most_ranks, ranks) && trial.seconds_on(2 * size) > available)
            size *= 2;
        if (2 * size > std::min(trial.most_ranks, ranks)) return never;
        const double slow = effective_ranks(size, trial.doubling_efficiency);
        const double fast = effective_ranks(2 * size, trial.doubling_efficiency);
        const double in_the_larger = (trial.seconds - slow * available) / (fast - slow);
        work += size * (available + in_the_larger);
    }
    return work;
}

}  // namespace

std::optional<Allotment> allot_by(std::span<const Waiting> in_order, const std::vector<double>& free_at,
                                  double deadline) {
    Allotment allotment;
    FreeRanks ranks(free_at);
    for (const Waiting& trial : in_order) {
        int size = 1;
        double start = std::max(ranks.take(1), trial.ready_at);
        double end = start + trial.seconds;
        while (end > deadline) {
            if (2 * size > trial.most_ranks || static_cast<std::size_t>(2 * size) > ranks.size())
                return std::nullopt;
            start = std::max(ranks.take(size), trial.ready_at);
            size *= 2;
            end = start + trial.seconds_on(size);
        }
        ranks.give_back(end);
        allotment.ranks.push_back(size);
        allotment.starts.push_back(start);
    }
    allotment.end = ranks.last();
    return allotment;
}

Allotment allot(std::span<const Waiting> in_order, std::vector<double> free_at) {
    assert(!free_at.empty());
    Allotment best = *allot_by(in_order, free_at, std::numeric_limits<double>::infinity());  // one rank each
    double work = std::accumulate(free_at.begin(), free_at.end(), 0.0);
    for (const Waiting& trial : in_order)
        work += trial.seconds;
    double impossible = std::max(work / static_cast<double>(free_at.size()),
                                 *std::max_element(free_at.begin(), free_at.end()));
    while (best.end > good_enough * impossible) {
        const double deadline = (impossible + best.end) / 2;
        if (auto found = allot_by(in_order, free_at, deadline))
            best = std::move(*found);
        else
            impossible = deadline;
    }
    return best;
}

double makespan_lower_bound(std::span<const Waiting> trials, int ranks) {
    double possible = 0, impossible = 0;  // all one after the other, each on one rank, is possible
    for (const Waiting& trial : trials)
        possible += trial.ready_at + trial.seconds;
    while (possible - impossible > 1e-9 * possible) {
        const double deadline = (impossible + possible) / 2;
        if (least_work(trials, ranks, deadline) <= ranks * deadline)
            possible = deadline;
        else
            impossible = deadline;
    }
    return impossible;
}

}  // namespace isogrid::cluster
