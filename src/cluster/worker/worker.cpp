#include "cluster/worker/worker.hpp"

#include <exception>
#include <optional>
#include <stdexcept>

#include "archive/process_identity.hpp"
#include "archive/provenance.hpp"
#include "cluster/folder/attempts.hpp"
#include "cluster/folder/lock.hpp"
#include "cluster/schedule/workload.hpp"
#include "cluster/worker/duty.hpp"
#include "kernels/cuda/cards.hpp"

namespace isogrid::cluster {

namespace {

constexpr int coordinator = 0;

class Worker {
  public:
    Worker(Transport& transport, const Workplace& workplace, const MakeGroup& make_group,
           const std::function<bool()>& asked_to_stop)
        : transport_(transport),
          workplace_(workplace),
          make_group_(make_group),
          asked_to_stop_(asked_to_stop) {}

    void run() {
        tell(Here{archive::provenance_here().host});
        measure();
        if (!duty_.sent_home()) tell(duty_.leave());
        while (!duty_.sent_home()) {
            const auto assign = next_note();
            if (!assign) {
                if (!duty_.sent_home()) wait();
                continue;
            }
            train(*assign);
            if (!duty_.sent_home()) tell(duty_.leave());
        }
    }

  private:
    /// This worker's share of what is worth measuring before anything is assigned, as far as it comes in a
    /// quarter of a minute: the scheduler takes other sizes for the nearest.
    void measure() {
        if (!workplace_.seconds_per_step) return;
        const int workers =
            workplace_.measuring_workers > 0 ? workplace_.measuring_workers : transport_.size() - 1;
        if (transport_.rank() > workers) return;
        const std::vector<int> trials = worth_measuring(workplace_.study, workers);
        constexpr double longest = 15;  // seconds
        const double begun = transport_.now();
        for (auto i = static_cast<std::size_t>(transport_.rank() - 1);
             i < trials.size() && !duty_.sent_home() && transport_.now() - begun < longest;
             i += static_cast<std::size_t>(workers)) {
            const study::PlannedTrial& planned =
                workplace_.study.grid.trials[static_cast<std::size_t>(trials[i])];
            if (const auto seconds = seconds_per_step(planned)) tell(Measured{trials[i], *seconds});
            if (next_note()) throw std::logic_error("a worker was given a trial before it asked for one");
        }
    }

    /// Nothing where it cannot be measured: whoever trains it will say why, and one trial ends no sweep.
    std::optional<double> seconds_per_step(const study::PlannedTrial& planned) {
        if (!may_be_measured(workplace_.folder.attempts, planned)) return std::nullopt;
        const BeingMeasured mark(workplace_.folder.attempts, planned);
        try {
            return workplace_.seconds_per_step(planned.trial);
        } catch (const kernels::CardLost& error) {
            note_card_lost(workplace_.folder.attempts, planned, /*ranks=*/1, error.what(), /*alone=*/true);
            throw;
        } catch (const std::exception&) {
            return std::nullopt;
        }
    }

    void tell(const Message& message) {
        transport_.send(encode(message), coordinator);
        told_ = transport_.now();
    }

    /// Says that it is still there, now and then.
    void remind(const Message& message) {
        if (transport_.now() - told_ >= heartbeat_interval) tell(message);
    }

    void wait() {
        remind(duty_.leave());
        transport_.wait_briefly();
    }

    /// Takes one note, if one is there; an assignment that is to be started.
    std::optional<Assign> next_note() {
        const auto envelope = transport_.try_receive();
        return envelope ? duty_.take(decode(envelope->bytes)) : std::nullopt;
    }

    /// Between two notes of training: all that has come meanwhile. Who waits for a member of its group is
    /// there: only the member that is gone falls silent.
    bool told_to_abandon() {
        while (const auto envelope = transport_.try_receive())
            duty_.take(decode(envelope->bytes));
        remind(Alive{});
        return duty_.told_to_abandon();
    }

    void train(const Assign& assign) {
        const auto group = make_group_(assign, [&] { return told_to_abandon(); });
        const bool speaks = group->rank() == 0;
        // Two workers of a process may have the same trial, where one of them was given up too early.
        const archive::Writer writer{
            .tag = archive::writer_tag() + "-" + std::to_string(transport_.rank()),
            .still_holder = [&] { return holds_lease(workplace_.folder.lock, assign.lease); }};
        const auto on_progress = [&](const train::Progress& progress) {
            if (speaks)
                tell(TrialProgress{.attempt = assign.attempt,
                                   .trial = assign.trial,
                                   .steps_done = progress.steps_done,
                                   .steps = progress.steps,
                                   .tokens_per_second = progress.tokens_per_second});
            else
                remind(Alive{});
            return !told_to_abandon() && !duty_.told_to_pause() && !duty_.sent_home() && !asked_to_stop_();
        };
        Finished finished = execute_trial(workplace_, assign.trial, *group, writer, on_progress, assign.alone,
                                          assign.steps_before);
        finished.attempt = assign.attempt;
        if (speaks && !(duty_.told_to_abandon() && finished.outcome == archive::Outcome::interrupted))
            tell(finished);
    }

    Transport& transport_;
    const Workplace& workplace_;
    const MakeGroup& make_group_;
    const std::function<bool()>& asked_to_stop_;
    Duty duty_;
    double told_ = 0;  ///< when the coordinator last heard of this worker
};

}  // namespace

void work(Transport& transport, const Workplace& workplace, const MakeGroup& make_group,
          const std::function<bool()>& asked_to_stop) {
    Worker(transport, workplace, make_group, asked_to_stop).run();
}

}  // namespace isogrid::cluster
