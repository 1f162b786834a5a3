#include "cluster/coordinator.hpp"

#include <stdexcept>

namespace isogrid::cluster {

namespace {

class Coordinator {
  public:
    Coordinator(Transport& transport, Sweep& sweep, const std::string& lease, const CoordinatorHooks& hooks)
        : transport_(transport), sweep_(sweep), lease_(lease), hooks_(hooks) {}

    void run() {
        while (!sweep_.over()) {
            if (const auto envelope = transport_.try_receive())
                handle(*envelope);
            else
                transport_.wait_briefly();
            if (!hooks_.keep_going(sweep_)) sweep_.stop();
            if (sweep_.stopped()) stop_workers();
            if (reported_ == transport_.size() - 1) assign();
        }
    }

  private:
    void handle(const Envelope& envelope) {
        const Message message = decode(envelope.bytes);
        if (std::holds_alternative<Ready>(message)) {
            sweep_.worker_idle(envelope.from);
            if (reported_ < transport_.size() - 1) ++reported_;
        } else if (const auto* measured = std::get_if<Measured>(&message)) {
            sweep_.measured(measured->trial, measured->seconds_per_step);
        } else if (const auto* progress = std::get_if<TrialProgress>(&message)) {
            sweep_.progressed(*progress, transport_.now());
        } else if (const auto* finished = std::get_if<Finished>(&message)) {
            sweep_.finished(*finished, transport_.now());
            hooks_.on_finished(sweep_, *finished);
        } else {
            throw std::runtime_error("rank " + std::to_string(envelope.from) +
                                     " sent what only the coordinator sends (the ranks disagree about who "
                                     "coordinates) start every rank from the same build of isogrid");
        }
    }

    void assign() {
        for (const Assignment& assignment : sweep_.assign(transport_.now())) {
            const auto bytes =
                encode(Assign{.trial = assignment.trial, .ranks = assignment.ranks, .lease = lease_});
            for (const int rank : assignment.ranks)
                transport_.send(bytes, rank);
        }
    }

    void stop_workers() {
        if (stop_sent_) return;
        stop_sent_ = true;
        dismiss_workers(transport_);
    }

    Transport& transport_;
    Sweep& sweep_;
    const std::string& lease_;
    const CoordinatorHooks& hooks_;
    int reported_ = 0;  ///< workers that have said they are there
    bool stop_sent_ = false;
};

}  // namespace

void coordinate(Transport& transport, Sweep& sweep, const std::string& lease, const CoordinatorHooks& hooks) {
    Coordinator(transport, sweep, lease, hooks).run();
}

void dismiss_workers(Transport& transport) {
    const auto bytes = encode(Stop{});
    for (int rank = 1; rank < transport.size(); ++rank)
        transport.send(bytes, rank);
}

}  // namespace isogrid::cluster
