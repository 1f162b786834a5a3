// A whole cluster in one thread: workers that train by letting a virtual clock pass. Deterministic.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "cluster/allotment.hpp"
#include "cluster/protocol.hpp"
#include "cluster/transport.hpp"
#include "study/study.hpp"

namespace isogrid::cluster::test {

/// Rank 0's view of `workers` simulated workers, each doing `speed` FLOP/s, or what `speed_of` says of a
/// trial; a group is as fast as its effective_ranks(). Groups report progress every `report_every` seconds,
/// like real ones.
class SimulatedTransport final : public Transport {
  public:
    struct Start {
        double time;
        int trial;
        std::vector<int> ranks;
    };

    SimulatedTransport(const study::Study& study, int workers, double speed)
        : study_(study), workers_(workers), speed_(speed) {}

    int rank() const override { return 0; }
    int size() const override { return workers_ + 1; }
    double now() const override { return now_; }

    void send(std::span<const std::byte> bytes, int to) override {
        const Message message = decode(bytes);
        if (std::holds_alternative<Stop>(message)) {
            stopped.push_back(to);
            return;
        }
        const Assign assign = std::get<Assign>(message);
        if (busy_[to]) throw std::logic_error("a busy worker was given a trial");
        busy_[to] = true;
        if (to != assign.ranks.back()) return;  // the group is complete when its last member has heard
        starts.push_back({now_, assign.trial, assign.ranks});
        const auto& planned = study_.grid.trials.at(static_cast<std::size_t>(assign.trial));
        const double seconds = planned.flops(study::FlopConvention::exact) /
                               (speed(assign.trial) * effective_ranks(static_cast<int>(assign.ranks.size())));
        for (double after = report_every; report_every > 0 && after < seconds; after += report_every)
            arrive(now_ + after, assign.ranks.front(),
                   TrialProgress{
                       .trial = assign.trial,
                       .steps_done = static_cast<std::int64_t>(after / seconds * double(planned.trial.steps)),
                       .steps = planned.trial.steps});
        Finished finished{.trial = assign.trial,
                          .outcome = archive::Outcome::completed,
                          .stored = true,
                          .steps_done = planned.trial.steps,
                          .steps = planned.trial.steps,
                          .seconds = seconds};
        if (const auto found = outcomes.find(assign.trial); found != outcomes.end()) {
            finished.outcome = found->second;
            finished.cause = "injected";
        }
        busy_rank_seconds += seconds * static_cast<double>(assign.ranks.size());
        arrive(now_ + seconds, assign.ranks.front(), finished);
        for (const int rank : assign.ranks)
            arrive(now_ + seconds, rank, Ready{});
    }

    std::optional<Envelope> try_receive() override {
        if (!started_) start();
        if (arriving_.empty() || arriving_.top().time > now_) return std::nullopt;
        const Arrival arrival = arriving_.top();
        arriving_.pop();
        if (std::holds_alternative<Ready>(arrival.message)) busy_[arrival.from] = false;
        return Envelope{arrival.from, encode(arrival.message)};
    }

    /// Nothing happens until the next note, so the clock goes straight there.
    void wait_briefly() override {
        if (arriving_.empty()) throw std::logic_error("the coordinator waits for notes that never come");
        now_ = arriving_.top().time;
    }

    std::function<double(int trial)> speed_of = {};
    std::vector<int> measured = {};  ///< trials that workers time before they ask for work, as real ones may
    double report_every = 0;         ///< seconds; 0 never
    double busy_rank_seconds = 0;
    std::vector<Start> starts;
    std::vector<int> stopped;                  ///< ranks that were told to stop
    std::map<int, archive::Outcome> outcomes;  ///< of trials that do not complete

  private:
    struct Arrival {
        double time;
        long order;
        int from;
        Message message;
        bool operator<(const Arrival& other) const {
            return std::tie(time, order) > std::tie(other.time, other.order);
        }
    };
    void start() {
        started_ = true;
        for (const int trial : measured) {
            const auto& planned = study_.grid.trials.at(static_cast<std::size_t>(trial));
            const double seconds = planned.flops(study::FlopConvention::exact) / speed(trial);
            arrive(0, 1, Measured{trial, seconds / static_cast<double>(planned.trial.steps)});
        }
        for (int rank = 1; rank <= workers_; ++rank)
            arrive(0, rank, Ready{});
    }
    double speed(int trial) const { return speed_of ? speed_of(trial) : speed_; }
    void arrive(double time, int from, Message message) {
        arriving_.push({time, order_++, from, std::move(message)});
    }

    const study::Study& study_;
    int workers_;
    double speed_, now_ = 0;
    long order_ = 0;
    bool started_ = false;
    std::map<int, bool> busy_;
    std::priority_queue<Arrival> arriving_;
};

}  // namespace isogrid::cluster::test
