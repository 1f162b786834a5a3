// The loss on the trial's fixed validation set, the same bits whatever the number of ranks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/token_file.hpp"
#include "graph/program.hpp"
#include "kernels/backend.hpp"
#include "study/trial.hpp"
#include "train/communicator.hpp"

namespace isogrid::train {

class Evaluation {
  public:
    /// The first `trial.evaluation.tokens` of the validation part, in whole sequences. It must also hold one
    /// token more, the last target.
    Evaluation(const study::Trial& trial, const data::TokenFile& tokens, kernels::Backend& backend,
               Communicator& group);

    /// Mean nats a token under `weights` (laid out as graph::ParameterLayout).
    double loss(std::span<float> weights);

  private:
    double chunk_loss(std::int64_t chunk, std::span<float> weights);

    std::int64_t context_, sequences_, sequences_a_chunk_;
    data::TokenFile tokens_;
    kernels::Backend* backend_;
    Communicator* group_;
    graph::Program program_;
    std::vector<kernels::TokenId> inputs_, targets_;
    std::vector<double> chunk_losses_, incoming_;
};

}  // namespace isogrid::train
