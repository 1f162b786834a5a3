// The loss on the trial's fixed validation set, the same bits whatever the number of ranks.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/token_file.hpp"
#include "kernels/backend.hpp"
#include "study/trial.hpp"
#include "train/blocks.hpp"
#include "train/communicator.hpp"
#include "train/thread_team.hpp"

namespace isogrid::train {

class Evaluation {
  public:
    /// The first `trial.evaluation.tokens` of the validation part, in whole sequences. It must also hold one
    /// token more, the last target. `parameters` are those of the training program.
    Evaluation(const study::Trial& trial, const data::TokenFile& tokens, kernels::Backend& backend,
               Communicator& group, ThreadTeam& team, std::shared_ptr<graph::PackedParameters> parameters);

    /// Mean nats a token under the parameters last packed.
    double loss();

  private:
    std::int64_t context_, sequences_, sequences_a_chunk_;
    data::TokenFile tokens_;
    Communicator* group_;
    ThreadTeam* team_;
    std::vector<Blocks> blocks_;  ///< by member of the team
    std::vector<double> chunk_losses_, incoming_;
};

}  // namespace isogrid::train
