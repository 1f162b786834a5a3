// A whole cluster in one thread: workers that train by letting a virtual clock pass, and what goes wrong with
// them. Deterministic.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/messages/protocol.hpp"
#include "cluster/messages/transport.hpp"
#include "cluster/schedule/seats.hpp"
#include "cluster/worker/duty.hpp"
#include "study/study.hpp"

namespace isogrid::cluster::test {

inline constexpr double never = std::numeric_limits<double>::infinity();

/// From `from` to `to`, in seconds of the virtual clock.
struct Window {
    double from = never, to = never;
    bool holds(double time) const { return from <= time && time < to; }
};

/// What goes wrong, by rank and time.
struct Faults {
    struct Slow {
        double from = never, factor = 1;
    };
    std::map<int, double> dies_at;
    std::map<int, Slow> slow;    ///< trials that start later take `factor` times as long
    std::map<int, Window> mute;  ///< its heartbeats and progress are lost; what it must tell is not
    Window disk_full;
    double delay = 0;           ///< a note takes up to so many seconds; two ranks' notes keep their order
    double duplicates = 0;      ///< this share of notes comes a second time,
    double duplicate_late = 0;  ///< up to so many seconds later, behind others
    std::uint64_t seed = 0;     ///< of the delays
};

/// Rank 0's view of `workers` simulated workers, each doing `speed` FLOP/s, or what `speed_of` says of a
/// trial; a group is as fast as its effective_ranks(), each at the pace of the slowest. Workers report
/// progress every `report_every` seconds and show that they are there, like real ones; real too is what they
/// make of notes (Duty). Where cards have several seats, the trials on a card share what it does.
class SimulatedTransport final : public Transport {
  public:
    struct Start {
        double time;
        int trial;
        std::vector<int> ranks;
    };

    SimulatedTransport(const study::Study& study, int workers, double speed, Faults faults = {});

    int rank() const override { return 0; }
    int size() const override { return static_cast<int>(workers_.size()) + 1; }
    double now() const override { return now_; }
    void send(std::span<const std::byte> bytes, int to) override;
    std::optional<Envelope> try_receive() override;

    /// The clock goes to the next note, or on by `longest_wait`. Throws std::logic_error at `ends_by`.
    void wait_briefly() override;

    /// Ranks that want work, as rank 0 must know by now.
    int idle() const;
    /// Ranks that are not dead.
    int alive() const;

    std::function<double(int trial)> speed_of = {};
    std::function<void()> on_wait = {};  ///< whenever rank 0 has read all notes and done what they ask for
    std::vector<int> measured = {};  ///< trials that workers time before they ask for work, as real ones may
    double report_every = 0;         ///< seconds; 0 never
    double longest_wait = never, ends_by = never;
    double busy_rank_seconds = 0;
    int paused = 0;  ///< trials that left a checkpoint to go on with more ranks, so often
    std::vector<Start> starts;
    std::vector<int> stopped;                           ///< ranks that have been told to stop
    std::map<int, archive::Outcome> outcomes;           ///< of trials that do not complete
    std::function<std::string(int rank)> host_of = {};  ///< what each rank says; empty: nothing
    std::set<int> bad_ranks;
    std::set<std::string> bad_hosts;  ///< every trial fails there
    std::set<std::string> set_aside;  ///< hosts whose ranks are not waited for in idle()
    std::map<int, int> stored;        ///< how often each trial's file was written

    Seats seats = {};  ///< of the workers; with more than one each, before anything happens,
    std::function<double(int together)> card_speed = {};  ///< times that of one trial alone
    std::function<std::int64_t(int trial)> bytes_of = {};
    std::int64_t most_bytes = 0;  ///< that trials had on one card together
    int most_together = 0;        ///< trials on one card
    /// Cards on which nothing trains although all their seats want work.
    int idle_cards() const;

  private:
    enum class Kind { to_coordinator, to_worker, heartbeat, progress, end, tell, death };
    struct Event {
        double time;
        long order;
        Kind kind;
        int rank;     ///< the worker's
        int attempt;  ///< of its training
        std::vector<std::byte> bytes = {};
        int version = -1;  ///< of the training's pace, where that matters
        bool operator<(const Event& other) const {
            return std::tie(time, order) > std::tie(other.time, other.order);
        }
    };
    struct Worker {
        Duty duty;
        int training = 0;  ///< the attempt; 0 for none
        bool dead = false, gone = false;
        bool asked = false;                      ///< and has neither been given anything since nor died
        double heard_up_to = 0, told_up_to = 0;  ///< when its last note, and the last one to it, arrive
    };
    struct Training {
        Assign assign;
        std::size_t joined = 0;
        double started = 0, seconds = 0;  ///< as it began
        double from = 0;                  ///< part of the trial that a checkpoint had done before
        double done = 0, updated = 0;     ///< part of it, and when that was so
        double pace = 0;                  ///< seconds that all of it would take as it goes now
        int version = 0;                  ///< of its pace: an end that was planned for another is none
        bool stuck = false;               ///< a member is gone: the others wait for it
        bool storing = false;             ///< all has been trained
        bool stopping = false;
        Finished finished = {};
    };

    Worker& at(int rank) { return workers_[static_cast<std::size_t>(rank - 1)]; }
    const study::PlannedTrial& planned(int trial) const;
    double uniform();
    void schedule(double time, Kind kind, int rank, int attempt);
    void post(Kind direction, int rank, const Message& message);
    void post(Kind direction, int rank, std::vector<std::byte> bytes);
    void happens(Event& event);
    void read(int rank, const Message& message);
    void join(int rank, const Assign& assign);
    void train(Training& training);
    void stop(Training& training);
    void show_life(int rank);
    void report(int attempt);
    void end(int attempt, int version);
    void share_card(int worker);
    static bool is_active(const Training& training);
    double part_done(const Training& training) const;
    void tell(int attempt);
    void leave(int rank);
    void die(int rank);

    const study::Study& study_;
    double speed_, now_ = 0;
    Faults faults_;
    std::mt19937_64 random_;
    bool started_ = false;
    void start();
    long order_ = 0;
    std::vector<Worker> workers_;
    std::map<int, Training> trainings_;  ///< by attempt
    std::map<int, double> checkpoints_;  ///< by trial, the part of it that is done
    std::priority_queue<Event> events_;
    std::deque<Envelope> inbox_;
};

}  // namespace isogrid::cluster::test
