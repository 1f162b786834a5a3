#include "simulated_transport.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <variant>

#include "cluster/schedule/allotment.hpp"

namespace isogrid::cluster::test {

namespace {

constexpr double storing_seconds = 0.05;
constexpr double resuming_seconds = 2;

}  // namespace

SimulatedTransport::SimulatedTransport(const study::Study& study, int workers, double speed, Faults faults)
    : study_(study),
      speed_(speed),
      faults_(std::move(faults)),
      random_(faults_.seed),
      workers_(static_cast<std::size_t>(workers)) {}

const study::PlannedTrial& SimulatedTransport::planned(int trial) const {
    return study_.grid.trials.at(static_cast<std::size_t>(trial));
}

int SimulatedTransport::alive() const {
    return static_cast<int>(
        std::count_if(workers_.begin(), workers_.end(), [](const Worker& worker) { return !worker.dead; }));
}

int SimulatedTransport::idle() const {
    int idle = 0;
    for (int rank = 1; rank < size(); ++rank) {
        const auto mute = faults_.mute.find(rank);
        const bool unheard = mute != faults_.mute.end() && now_ >= mute->second.from &&
                             now_ < mute->second.to + heartbeat_interval + faults_.delay;
        if (host_of && (set_aside.contains(host_of(rank)) ||
                        set_aside.contains(host_of(rank) + " rank " + std::to_string(seats.rank_of(rank)))))
            continue;
        idle += workers_[static_cast<std::size_t>(rank - 1)].asked && !unheard;
    }
    return idle;
}

/// In [0, 1), the same with every library.
double SimulatedTransport::uniform() {
    return static_cast<double>(random_() >> 11) * 0x1p-53;
}

void SimulatedTransport::schedule(double time, Kind kind, int rank, int attempt) {
    events_.push({.time = time, .order = order_++, .kind = kind, .rank = rank, .attempt = attempt});
}

void SimulatedTransport::post(Kind direction, int rank, const Message& message) {
    post(direction, rank, encode(message));
}

void SimulatedTransport::post(Kind direction, int rank, std::vector<std::byte> bytes) {
    Worker& worker = at(rank);
    double& last = direction == Kind::to_coordinator ? worker.heard_up_to : worker.told_up_to;
    last = std::max(last, now_ + (faults_.delay > 0 ? faults_.delay * uniform() : 0));
    if (faults_.duplicates > 0 && uniform() < faults_.duplicates)
        events_.push({last + faults_.duplicate_late * uniform(), order_++, direction, rank, 0, bytes});
    events_.push({last, order_++, direction, rank, 0, std::move(bytes)});
}

void SimulatedTransport::start() {
    started_ = true;
    for (const int trial : measured) {
        const double flops = planned(trial).flops(study::FlopConvention::exact);
        const double speed = speed_of ? speed_of(trial) : speed_;
        post(Kind::to_coordinator, 1,
             Measured{trial, flops / speed / static_cast<double>(planned(trial).trial.steps)});
    }
    for (int rank = 1; rank < size(); ++rank) {
        if (const auto found = faults_.dies_at.find(rank); found != faults_.dies_at.end())
            schedule(found->second, Kind::death, rank, 0);
        if (host_of) post(Kind::to_coordinator, rank, Here{host_of(rank)});
        post(Kind::to_coordinator, rank, at(rank).duty.leave());
        schedule(heartbeat_interval, Kind::heartbeat, rank, 0);
    }
}

void SimulatedTransport::send(std::span<const std::byte> bytes, int to) {
    const Message message = decode(bytes);
    if (std::holds_alternative<Stop>(message)) stopped.push_back(to);
    if (std::holds_alternative<Assign>(message)) at(to).asked = false;
    post(Kind::to_worker, to, std::vector<std::byte>(bytes.begin(), bytes.end()));
}

std::optional<Envelope> SimulatedTransport::try_receive() {
    if (!started_) start();
    while (!events_.empty() && events_.top().time <= now_) {
        Event event = events_.top();
        events_.pop();
        happens(event);
    }
    if (inbox_.empty()) return std::nullopt;
    Envelope envelope = std::move(inbox_.front());
    inbox_.pop_front();
    Worker& worker = at(envelope.from);
    if (!worker.dead && !worker.gone && worker.training == 0 && worker.told_up_to <= now_ &&
        decode(envelope.bytes) == Message(worker.duty.leave()))
        worker.asked = true;
    return envelope;
}

void SimulatedTransport::wait_briefly() {
    if (on_wait) on_wait();
    const double latest = now_ + longest_wait;
    while (inbox_.empty()) {
        if (events_.empty() && latest == never)
            throw std::logic_error("the coordinator waits for notes that never come");
        if (events_.empty() || events_.top().time > latest) {
            now_ = latest;
            break;
        }
        Event event = events_.top();
        events_.pop();
        now_ = event.time;
        happens(event);
    }
    if (now_ > ends_by) throw std::logic_error("the sweep does not end");
}

void SimulatedTransport::happens(Event& event) {
    switch (event.kind) {
        case Kind::to_coordinator:
            inbox_.push_back({event.rank, std::move(event.bytes)});
            return;
        case Kind::to_worker:
            if (!at(event.rank).dead && !at(event.rank).gone) read(event.rank, decode(event.bytes));
            return;
        case Kind::heartbeat:
            return show_life(event.rank);
        case Kind::progress:
            return report(event.attempt);
        case Kind::end:
            return end(event.attempt, event.version);
        case Kind::tell:
            return tell(event.attempt);
        case Kind::death:
            return die(event.rank);
    }
}

void SimulatedTransport::read(int rank, const Message& message) {
    Worker& worker = at(rank);
    if (const auto assign = worker.duty.take(message)) return join(rank, *assign);
    if (worker.training == 0) {
        worker.gone = worker.duty.sent_home();
        return;
    }
    Training& training = trainings_.at(worker.training);
    if (worker.duty.told_to_abandon() && !training.storing) {
        training.stuck = true;
        share_card(rank);
        leave(rank);
    } else if ((worker.duty.sent_home() || worker.duty.told_to_pause()) && is_active(training)) {
        stop(training);
    }
}

/// The training ends with its next step, and leaves a checkpoint.
void SimulatedTransport::stop(Training& training) {
    if (training.stopping) return;
    training.stopping = true;
    const double step = training.pace / static_cast<double>(planned(training.assign.trial).trial.steps);
    const double end =
        card_speed ? now_ + (1 - part_done(training)) * training.pace : training.started + training.seconds;
    schedule(std::min(now_ + step, end), Kind::end, training.assign.ranks.front(), training.assign.attempt);
}

void SimulatedTransport::join(int rank, const Assign& assign) {
    Training& training = trainings_[assign.attempt];
    training.assign = assign;
    at(rank).training = assign.attempt;
    // The group is complete when its last member has heard.
    if (++training.joined == assign.ranks.size() && !training.stuck) train(training);
}

void SimulatedTransport::train(Training& training) {
    const Assign& assign = training.assign;
    starts.push_back({now_, assign.trial, assign.ranks});
    double slowest = 1;
    for (const int rank : assign.ranks)
        if (const auto found = faults_.slow.find(rank);
            found != faults_.slow.end() && found->second.from <= now_)
            slowest = std::max(slowest, found->second.factor);
    const double speed = (speed_of ? speed_of(assign.trial) : speed_) / slowest;
    training.started = now_;
    training.seconds = planned(assign.trial).flops(study::FlopConvention::exact) /
                       (speed * effective_ranks(static_cast<int>(assign.ranks.size())));
    if (const auto kept = checkpoints_.find(assign.trial); kept != checkpoints_.end()) {
        training.from = kept->second;
        training.seconds = resuming_seconds + (1 - training.from) * training.seconds;
    }
    for (const int rank : assign.ranks)
        if (bad_ranks.contains(rank)) training.seconds = 1;
    training.pace = training.seconds;
    training.updated = now_;
    if (card_speed)
        share_card(assign.ranks.front());
    else
        schedule(now_ + training.seconds, Kind::end, assign.ranks.front(), assign.attempt);
    if (report_every > 0) schedule(now_, Kind::progress, assign.ranks.front(), assign.attempt);
    if (at(assign.ranks.front()).duty.told_to_pause()) stop(training);
}

/// Every now and then, as long as the worker lives.
void SimulatedTransport::show_life(int rank) {
    const Worker& worker = at(rank);
    if (worker.dead || worker.gone) return;
    schedule(now_ + heartbeat_interval, Kind::heartbeat, rank, 0);
    if (const auto mute = faults_.mute.find(rank); mute != faults_.mute.end() && mute->second.holds(now_))
        return;
    if (worker.training == 0)
        post(Kind::to_coordinator, rank, at(rank).duty.leave());
    else if (const Training& training = trainings_.at(worker.training);
             !training.stuck || training.joined == training.assign.ranks.size())  // else inside MPI
        post(Kind::to_coordinator, rank, Alive{});
}

void SimulatedTransport::report(int attempt) {
    const auto found = trainings_.find(attempt);
    if (found == trainings_.end()) return;
    const Training& training = found->second;
    if (training.stuck || training.storing) return;
    const int rank = training.assign.ranks.front();
    schedule(now_ + report_every, Kind::progress, rank, attempt);
    if (const auto mute = faults_.mute.find(rank); mute != faults_.mute.end() && mute->second.holds(now_))
        return;
    const auto steps = planned(training.assign.trial).trial.steps;
    const double part = training.from + (1 - training.from) * part_done(training);
    post(Kind::to_coordinator, rank,
         TrialProgress{.attempt = attempt,
                       .trial = training.assign.trial,
                       .steps_done = static_cast<std::int64_t>(part * static_cast<double>(steps)),
                       .steps = steps});
}

bool SimulatedTransport::is_active(const Training& training) {
    return training.joined == training.assign.ranks.size() && !training.stuck && !training.storing;
}

double SimulatedTransport::part_done(const Training& training) const {
    if (!card_speed) return (now_ - training.started) / training.seconds;
    return training.done + (now_ - training.updated) / training.pace;
}

/// The trials on a worker's card have become others: each goes on at another pace.
void SimulatedTransport::share_card(int worker) {
    if (!card_speed) return;
    std::vector<Training*> sharing;
    std::int64_t bytes = 0;
    for (auto& [attempt, training] : trainings_)
        if (is_active(training) &&
            std::any_of(training.assign.ranks.begin(), training.assign.ranks.end(),
                        [&](int member) { return seats.rank_of(member) == seats.rank_of(worker); })) {
            sharing.push_back(&training);
            if (bytes_of) bytes += bytes_of(training.assign.trial);
        }
    const auto together = static_cast<int>(sharing.size());
    most_together = std::max(most_together, together);
    if (together > 1) most_bytes = std::max(most_bytes, bytes);
    for (Training* training : sharing) {
        training->done = part_done(*training);
        training->updated = now_;
        training->pace = training->seconds * together / card_speed(together);
        events_.push({.time = now_ + (1 - training->done) * training->pace,
                      .order = order_++,
                      .kind = Kind::end,
                      .rank = training->assign.ranks.front(),
                      .attempt = training->assign.attempt,
                      .version = ++training->version});
    }
}

int SimulatedTransport::idle_cards() const {
    int idle = 0;
    for (int rank = 1; rank <= seats.ranks; ++rank) {
        int asked = 0;
        for (int seat = 0; seat < seats.each; ++seat)
            asked += workers_[static_cast<std::size_t>(seats.worker(rank, seat) - 1)].asked;
        idle += asked == seats.each;
    }
    return idle;
}

void SimulatedTransport::end(int attempt, int version) {
    const auto found = trainings_.find(attempt);
    if (found == trainings_.end()) return;
    Training& training = found->second;
    if (training.stuck || training.storing) return;
    if (version >= 0 && version != training.version) return;
    const double part = part_done(training);
    training.storing = true;
    share_card(training.assign.ranks.front());
    const int trial = training.assign.trial;
    const std::int64_t steps = planned(trial).trial.steps;
    const double seconds = now_ - training.started;
    busy_rank_seconds += seconds * static_cast<double>(training.assign.ranks.size());
    Finished& finished = training.finished;
    finished = {.attempt = attempt,
                .trial = trial,
                .outcome = archive::Outcome::completed,
                .stored = true,
                .steps_done = steps,
                .steps = steps,
                .seconds = seconds};
    if (const auto outcome = outcomes.find(trial); outcome != outcomes.end()) {
        finished.outcome = outcome->second;
        finished.cause = "injected";
    }
    for (const int rank : training.assign.ranks)
        if (bad_ranks.contains(rank)) {
            finished.outcome = archive::Outcome::failed;
            finished.cause = "a bad host";
        }
    for (const int rank : training.assign.ranks)
        if (host_of && bad_hosts.contains(host_of(rank))) {
            finished.outcome = archive::Outcome::failed;
            finished.cause = "a bad host";
        }
    if (training.stopping && (card_speed ? part < 1 - 1e-9 : seconds < training.seconds)) {
        finished.outcome = archive::Outcome::interrupted;
        finished.steps_done =
            static_cast<std::int64_t>((training.from + (1 - training.from) * part) * double(steps));
    }
    if (finished.outcome == archive::Outcome::interrupted) {
        finished.stored = !faults_.disk_full.holds(now_);
        if (finished.stored) checkpoints_[trial] = double(finished.steps_done) / double(steps);
        paused += !at(training.assign.ranks.front()).duty.sent_home();
    } else if (faults_.disk_full.holds(now_)) {
        finished.stored = false;
        finished.store_fault = "no space left on device";
    } else {
        if (finished.cause != "a bad host") ++stored[trial];
    }
    // A rank may die between its file and its note. Where nothing goes wrong no time passes.
    if (faults_.dies_at.empty())
        tell(attempt);
    else
        schedule(now_ + storing_seconds, Kind::tell, training.assign.ranks.front(), attempt);
}

void SimulatedTransport::tell(int attempt) {
    const Training training = trainings_.at(attempt);
    const int speaker = training.assign.ranks.front();
    if (!at(speaker).dead) post(Kind::to_coordinator, speaker, training.finished);
    for (const int rank : training.assign.ranks)
        if (!at(rank).dead) leave(rank);
    trainings_.erase(attempt);
}

void SimulatedTransport::leave(int rank) {
    Worker& worker = at(rank);
    worker.training = 0;
    const Ready ready = worker.duty.leave();
    worker.gone = worker.duty.sent_home();
    if (!worker.gone) post(Kind::to_coordinator, rank, ready);
}

void SimulatedTransport::die(int rank) {
    Worker& worker = at(rank);
    worker.dead = true;
    worker.asked = false;
    if (worker.training == 0) return;
    Training& training = trainings_.at(worker.training);
    if (training.storing) return;
    training.stuck = true;
    share_card(rank);
}

}  // namespace isogrid::cluster::test
