#include "cluster/worker.hpp"

#include <new>
#include <stdexcept>

#include "archive/provenance.hpp"
#include "cluster/lock.hpp"
#include "cluster/workload.hpp"

namespace isogrid::cluster {

namespace {

constexpr int coordinator = 0;

class Worker {
  public:
    Worker(Transport& transport, const Workplace& workplace, const std::filesystem::path& lock_file,
           const MakeGroup& make_group, const std::function<bool()>& asked_to_stop)
        : transport_(transport),
          workplace_(workplace),
          lock_file_(lock_file),
          make_group_(make_group),
          asked_to_stop_(asked_to_stop) {}

    void run() {
        measure();
        if (!sent_home_) tell(Ready{});
        while (!sent_home_) {
            const auto assign = next_note();
            if (!assign) {
                if (!sent_home_) transport_.wait_briefly();
                continue;
            }
            train(*assign);
            if (!sent_home_) tell(Ready{});
        }
    }

  private:
    /// This worker's share of what is worth measuring before anything is assigned.
    void measure() {
        if (!workplace_.seconds_per_step) return;
        const int workers = transport_.size() - 1;
        const std::vector<int> trials = worth_measuring(workplace_.study, workers);
        for (auto i = static_cast<std::size_t>(transport_.rank() - 1); i < trials.size() && !sent_home_;
             i += static_cast<std::size_t>(workers)) {
            const study::PlannedTrial& planned =
                workplace_.study.grid.trials[static_cast<std::size_t>(trials[i])];
            try {
                tell(Measured{trials[i], workplace_.seconds_per_step(planned.trial)});
            } catch (const std::bad_alloc&) {
                // Whoever trains it will say so.
            }
            if (next_note()) throw std::logic_error("a worker was given a trial before it asked for one");
        }
    }

    void tell(const Message& message) { transport_.send(encode(message), coordinator); }

    /// Takes one note, if one is there: an assignment is handed out, a stop remembered.
    std::optional<Assign> next_note() {
        const auto envelope = transport_.try_receive();
        if (!envelope) return std::nullopt;
        const Message message = decode(envelope->bytes);
        if (std::holds_alternative<Stop>(message)) {
            sent_home_ = true;
            return std::nullopt;
        }
        if (const auto* assign = std::get_if<Assign>(&message)) return *assign;
        throw std::runtime_error("rank " + std::to_string(envelope->from) +
                                 " sent what only a worker sends (the ranks disagree about who coordinates) "
                                 "start every rank from the same build of isogrid");
    }

    void train(const Assign& assign) {
        const auto group = make_group_(assign.ranks, assign.trial);
        const bool speaks = group->rank() == 0;
        const archive::Writer writer{.tag = archive::writer_tag(),
                                     .still_holder = [&] { return holds_lease(lock_file_, assign.lease); }};
        const auto on_progress = [&](const train::Progress& progress) {
            if (speaks)
                tell(TrialProgress{.trial = assign.trial,
                                   .steps_done = progress.steps_done,
                                   .steps = progress.steps,
                                   .tokens_per_second = progress.tokens_per_second});
            if (next_note()) throw std::logic_error("a busy worker was given a trial");
            return !sent_home_ && !asked_to_stop_();
        };
        const Finished finished = execute_trial(workplace_, assign.trial, *group, writer, on_progress);
        if (speaks) tell(finished);
    }

    Transport& transport_;
    const Workplace& workplace_;
    const std::filesystem::path& lock_file_;
    const MakeGroup& make_group_;
    const std::function<bool()>& asked_to_stop_;
    bool sent_home_ = false;
};

}  // namespace

void work(Transport& transport, const Workplace& workplace, const std::filesystem::path& lock_file,
          const MakeGroup& make_group, const std::function<bool()>& asked_to_stop) {
    Worker(transport, workplace, lock_file, make_group, asked_to_stop).run();
}

}  // namespace isogrid::cluster
