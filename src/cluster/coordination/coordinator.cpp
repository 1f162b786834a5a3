#include "cluster/coordination/coordinator.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "cluster/schedule/hosts.hpp"

namespace isogrid::cluster {

namespace {

/// One assignment that may still end in a result. At most one of a trial's attempts is not lost.
struct Attempt {
    int trial = 0;
    std::vector<int> ranks;
    bool pausing = false;  ///< it has been asked to
    bool lost = false;     ///< a rank was given up, and the trial waits again or runs elsewhere
};

class Coordinator {
  public:
    Coordinator(Transport& transport, Sweep& sweep, const std::string& lease, const CoordinatorHooks& hooks,
                double silence_limit)
        : transport_(transport),
          sweep_(sweep),
          lease_(lease),
          hooks_(hooks),
          roster_(transport.size() - 1, silence_limit, transport.now()) {}

    void run() {
        while (!sweep_.over()) {
            const auto envelope = transport_.try_receive();
            if (envelope)
                handle(*envelope);
            else
                look_for_the_silent();
            if (!hooks_.keep_going(sweep_)) sweep_.stop();
            if (sweep_.stopped()) stop_workers();
            if (roster_.complete()) {
                if (!std::exchange(all_came_, true)) hosts_.judge_ranks_of_a_single_host(seats());
                pause();
                assign();
            }
            if (!envelope && !sweep_.over()) transport_.wait_briefly();
        }
        if (sweep_.stopped()) stop_workers();  // it may have been assign() that stopped it, in the last round
    }

  private:
    void handle(const Envelope& envelope) {
        const int rank = envelope.from;
        if (roster_.heard(rank, transport_.now()))
            say(name_of(rank) + " is there again (silence is now allowed for " +
                seconds(roster_.silence_limit()) + ")");
        const Message message = decode(envelope.bytes);
        if (const auto* ready = std::get_if<Ready>(&message)) {
            asks(rank, ready->attempt);
        } else if (const auto* measured = std::get_if<Measured>(&message)) {
            sweep_.measured(measured->trial, measured->seconds_per_step);
        } else if (const auto* progress = std::get_if<TrialProgress>(&message)) {
            progressed(rank, *progress);
        } else if (const auto* finished = std::get_if<Finished>(&message)) {
            ended(*finished);
        } else if (const auto* here = std::get_if<Here>(&message)) {
            hosts_.says(rank, here->host);
        } else if (!std::holds_alternative<Alive>(message)) {
            throw std::runtime_error("rank " + std::to_string(rank) +
                                     " sent what only the coordinator sends (the ranks disagree about who "
                                     "coordinates) start every rank from the same build of isogrid");
        }
    }

    void asks(int rank, int number) {
        if (!roster_.asks(rank, number)) return;
        if (hosts_.is_set_aside(rank))
            sweep_.worker_lost(rank);
        else
            sweep_.worker_idle(rank);
        // Who speaks for an attempt tells how it ended before it asks for more. It has left this one
        // otherwise.
        const auto found = attempts_.find(number);
        if (found != attempts_.end() && !found->second.lost && found->second.ranks.front() == rank)
            lose(found->first, found->second);
    }

    void progressed(int rank, const TrialProgress& progress) {
        if (roster_.busy_with(rank) != progress.attempt) return;  // it was on its way for long
        const auto found = attempts_.find(progress.attempt);
        if (found == attempts_.end()) {
            tell(Abandon{progress.attempt}, rank);  // again: it has not yet read the first one
            return;
        }
        Attempt& attempt = found->second;
        // One rank is back and still at it. A group has been told to leave, and may have.
        if (attempt.lost && attempt.ranks.size() == 1)
            attempt.lost = !sweep_.take_back(attempt.trial, attempt.ranks, transport_.now());
        if (!attempt.lost) sweep_.progressed(progress, transport_.now());
    }

    void ended(const Finished& finished) {
        const auto found = attempts_.find(finished.attempt);
        if (found == attempts_.end()) return;  // it came twice, or another was first
        const bool interrupted = finished.outcome == archive::Outcome::interrupted;
        if (found->second.lost && (!finished.stored || !archive::is_finished(finished.outcome))) return;
        if (interrupted && found->second.pausing) {
            attempts_.erase(found);
            sweep_.paused(finished, transport_.now());
            say(sweep_.planned(finished.trial).name + " pauses at step " +
                std::to_string(finished.steps_done) + " and goes on with other ranks");
            return;
        }
        const std::vector<int> ranks = std::move(found->second.ranks);
        attempts_.erase(found);
        close_others(finished);
        const auto host = judge(ranks, finished);
        sweep_.finished(finished, transport_.now());
        hooks_.on_finished(sweep_, finished);
        if (host) set_aside(*host);
    }

    /// What the end of a trial says of the host that trained it. Memory is a question of the trial's size.
    std::optional<std::string> judge(const std::vector<int>& ranks, const Finished& finished) {
        if (archive::is_finished(finished.outcome) && finished.stored) hosts_.ended_well(ranks);
        if (finished.outcome != archive::Outcome::failed) return std::nullopt;
        return hosts_.failed(ranks, finished.trial);
    }

    /// No more work for `host`. What runs there may end.
    void set_aside(const std::string& host) {
        for (const int rank : hosts_.ranks_of(host))
            sweep_.worker_lost(rank);
        const std::map<int, int> failures = hosts_.failures_on(host);
        sweep_.host_set_aside(host, failures);
        std::vector<int> trials;
        for (const auto& [trial, times] : failures)
            trials.push_back(trial);
        say("host " + host + " is set aside (trial after trial ended badly there) others get its work");
        hooks_.on_host_set_aside(host, trials);
        stop_without_workers();
    }

    /// Nobody needs to go on with a trial whose file is there.
    void close_others(const Finished& finished) {
        const auto [first, last] = lost_.equal_range(finished.trial);
        if (first == last) return;
        lost_.erase(first, last);
        for (auto attempt = attempts_.begin(); attempt != attempts_.end();) {
            if (attempt->second.trial != finished.trial) {
                ++attempt;
                continue;
            }
            if (!attempt->second.lost) sweep_.lost(finished.trial);  // what it takes there is not known
            for (const int rank : attempt->second.ranks)
                tell(Abandon{attempt->first}, rank);
            attempt = attempts_.erase(attempt);
        }
    }

    void look_for_the_silent() {
        for (const int rank : roster_.fallen_silent(transport_.now())) {
            sweep_.worker_lost(rank);
            say(name_of(rank) + " is given up (not heard of for " + seconds(roster_.silence_limit()) +
                ") its trial goes to others");
            const auto found = attempts_.find(roster_.busy_with(rank));
            // One trouble of its host: the trial's, or the process's, where that had several seats or no
            // trial.
            const bool is_of_process = seats().each > 1 || found == attempts_.end();
            const int trouble = is_of_process ? -seats().rank_of(rank) : found->second.trial;
            if (found != attempts_.end() && !found->second.lost) lose(found->first, found->second);
            if (const auto host = hosts_.fell_silent(rank, trouble)) set_aside(*host);
        }
        stop_without_workers();
    }

    void stop_without_workers() {
        if (sweep_.stopped()) return;
        for (int rank = 1; rank < transport_.size(); ++rank)
            if (roster_.is_there(rank) && !hosts_.is_set_aside(rank)) return;
        say("no worker is left: stopping");
        sweep_.stop();
    }

    void lose(int number, Attempt& attempt) {
        attempt.lost = true;
        lost_.emplace(attempt.trial, number);
        sweep_.lost(attempt.trial);
        if (attempt.ranks.size() == 1) return;
        for (const int rank : attempt.ranks)
            tell(Abandon{number}, rank);
    }

    void assign() {
        for (const Assignment& assignment : sweep_.assign(transport_.now())) {
            const int number = ++last_attempt_;
            attempts_.emplace(number, Attempt{.trial = assignment.trial, .ranks = assignment.ranks});
            const auto bytes = encode(Assign{.attempt = number,
                                             .trial = assignment.trial,
                                             .ranks = assignment.ranks,
                                             .lease = lease_,
                                             .alone = assignment.alone,
                                             .steps_before = sweep_.steps_before(assignment.trial)});
            for (const int rank : assignment.ranks) {
                roster_.given(rank, number);
                transport_.send(bytes, rank);
            }
        }
    }

    /// Asks trials to go on with more ranks or fewer, before idle ones get other work.
    void pause() {
        for (const int trial : sweep_.to_pause(transport_.now()))
            for (auto& [number, attempt] : attempts_) {
                if (attempt.trial != trial || attempt.lost) continue;
                attempt.pausing = true;
                tell(Pause{number}, attempt.ranks.front());
            }
    }

    void stop_workers() {
        if (stop_sent_) return;
        stop_sent_ = true;
        dismiss_workers(transport_);
    }

    void tell(const Message& message, int rank) { transport_.send(encode(message), rank); }

    void say(const std::string& text) const { hooks_.say(text); }

    const Seats& seats() const { return sweep_.seats(); }
    std::string name_of(int worker) const {
        const std::string rank = "rank " + std::to_string(seats().rank_of(worker));
        return seats().each == 1 ? rank : rank + " seat " + std::to_string(seats().seat_of(worker));
    }

    static std::string seconds(double value) { return std::to_string(std::lround(value)) + " s"; }

    Transport& transport_;
    Sweep& sweep_;
    const std::string& lease_;
    const CoordinatorHooks& hooks_;
    Roster roster_;
    Hosts hosts_;
    std::map<int, Attempt> attempts_;  ///< by number
    std::multimap<int, int> lost_;     ///< trial to the numbers of its lost attempts
    int last_attempt_ = 0;
    bool stop_sent_ = false, all_came_ = false;
};

}  // namespace

void coordinate(Transport& transport, Sweep& sweep, const std::string& lease, const CoordinatorHooks& hooks,
                double silence_limit) {
    Coordinator(transport, sweep, lease, hooks, silence_limit).run();
}

void dismiss_workers(Transport& transport) {
    const auto bytes = encode(Stop{});
    for (int rank = 1; rank < transport.size(); ++rank)
        transport.send(bytes, rank);
}

}  // namespace isogrid::cluster
