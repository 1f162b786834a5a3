// The loss on the trial's fixed validation set, the same bits whatever the number of ranks.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "data/token_file.hpp"
#include "kernels/backend.hpp"
#include "study/trial.hpp"
#include "train/blocks.hpp"
#include "train/communicator.hpp"
#include "train/thread_team.hpp"
#include "train/windows.hpp"

namespace isogrid::train {

class Evaluation {
  public:
    /// Evaluates on `trial.evaluation.tokens` validation tokens, in whole sequences that its `sample`
    /// chooses. The part must hold one more, the last target. `parameters` are those of the training program.
    Evaluation(const study::Trial& trial, const data::TokenFile& tokens, kernels::Backend& backend,
               Communicator& group, ThreadTeam& team, std::shared_ptr<graph::PackedParameters> parameters);
    Evaluation(const Evaluation&) = delete;
    Evaluation& operator=(const Evaluation&) = delete;

    /// Mean nats a token under the parameters last packed.
    double loss();

  private:
    /// What a member of the team works with.
    struct Member {
        Blocks blocks;
        Windows windows;                    ///< of a chunk
        kernels::Storage loss;              ///< of a chunk, float64
        std::function<void()> whole_chunk;  ///< from windows to loss, recorded
    };

    /// Where the window of a sequence of the validation set begins in the validation part. Of `spread`,
    /// sequence i of n is number floor(i W / n) of the part's W.
    std::int64_t start(std::int64_t sequence) const;
    static double* number(const kernels::Storage& storage, std::int64_t at);
    /// The first `sequences` of the member's windows.
    void run_into_loss(Member& member, std::int64_t sequences);
    void run_chunk(Member& member, std::int64_t chunk);

    study::EvaluationSample sample_;
    std::int64_t context_, sequences_, sequences_a_chunk_;
    data::TokenFile tokens_;
    kernels::Backend* backend_;
    Communicator* group_;
    ThreadTeam* team_;
    std::deque<Member> members_;
    kernels::Storage on_backend_;  ///< the losses of all chunks, float64
    std::vector<double> chunk_losses_;
};

}  // namespace isogrid::train
