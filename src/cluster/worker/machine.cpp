#include "cluster/worker/machine.hpp"

#include <memory>

#include "kernels/cuda/cards.hpp"
#include "train/cost.hpp"
#include "train/trainer.hpp"

namespace isogrid::cluster {

namespace {

class OwnQueue {
  public:
    explicit OwnQueue(int card) : card_(card) {}
    kernels::Backend& backend() {
        if (!backend_) backend_ = kernels::make_cuda_backend_beside_others(card_);
        return *backend_;
    }

  private:
    int card_;
    std::unique_ptr<kernels::Backend> backend_;
};

}  // namespace

Machine machine_on_card(int card) {
    const auto queue = std::make_shared<OwnQueue>(card);
    return {.train =
                [queue](const study::Trial& trial, const data::TokenFile& tokens, train::Communicator& group,
                        const train::TrainOptions& how) {
                    return train::train(trial, tokens, queue->backend(), group, how);
                },
            .seconds_per_step =
                [queue](const study::Trial& trial) {
                    return train::measure_seconds_per_step(trial, queue->backend(), /*threads=*/1);
                }};
}

}  // namespace isogrid::cluster
