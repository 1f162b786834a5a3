// Steps of training, from a batch's tokens to new weights, as work that a backend can be handed as a whole.
//
// All that a step leaves stays in the backend's memory, and only its readers, standing() and noise_sums(),
// wait for it. What differs from step to step goes there first: the batch's tokens, the learning rates
// and the number of the step. On a card all the rest is one launch (Backend::recorded), also of ranks whose
// cards are linked; other ranks make two with the exchange between them in the middle. Several short steps
// are one launch too: their tokens and rates then lie beside each other.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.hpp"
#include "model/llama.hpp"
#include "study/trial.hpp"
#include "train/blocks.hpp"
#include "train/communicator.hpp"
#include "train/gradient_noise.hpp"
#include "train/reduction_tree.hpp"
#include "train/thread_team.hpp"
#include "train/windows.hpp"

namespace isogrid::train {

/// Steps that a rank makes of one launch at most, a power of two: many where a step is so short that
/// launching it takes its share, by its planned time.
std::int64_t steps_a_launch(const study::Trial& trial, int ranks, const kernels::Backend& backend);

class Step {
  public:
    /// With the trial's initial weights. All that is handed over must outlive this.
    Step(const study::Trial& trial, kernels::Backend& backend, Communicator& group, int threads);
    ~Step();
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

    /// Before the first step of a stage of the trial's batch_schedule: a batch of another size has other
    /// blocks, and another share of each loss in their gradient.
    void enter(const study::BatchStage& stage);

    /// Takes a step with each of the `learning_rates`, a power of two of them, most_at_once() at most;
    /// `first` is the number of the first one, from 1. Trains on the windows of `tokens` that begin where
    /// `start` says for each row of the batches, numbered through. True where a rank of the group was asked
    /// to `stop`.
    bool take(std::int64_t first, std::span<const double> learning_rates, std::span<const data::Token> tokens,
              const Windows::Start& start, bool stop);
    std::int64_t most_at_once() const { return most_at_once_; }

    /// After the steps taken so far; waits for them.
    kernels::Standing standing() const;
    NoiseSums noise_sums() const;
    /// What to go on summing from.
    void set_sums(double loss_sum, const NoiseSums& noise);

    const graph::ParameterLayout& layout() const { return blocks_.front().program().layout(); }
    const std::shared_ptr<graph::PackedParameters>& parameters() const {
        return blocks_.front().program().parameters();
    }
    ThreadTeam& team() { return team_; }

    // In the backend's memory. Whoever changes weights packs parameters() anew.
    std::span<float> weights() { return state(Part::weights); }
    std::span<float> first_moment() { return state(Part::first_moment); }
    std::span<float> second_moment() { return state(Part::second_moment); }

    /// Ends the links to the other ranks' cards: no further step is taken. Before any memory of the backend
    /// is freed, which waits for the card, which may wait for a rank that is gone.
    void end_links();
    /// Frees the gradient's memory: no further step is taken.
    void release_gradient() { tree_.release(); }

  private:
    enum class Part : std::int64_t { weights, first_moment, second_moment };
    static constexpr std::size_t parts = 3;
    std::span<float> state(Part part);
    void set_initial_state();
    void list_runs();
    std::vector<kernels::AdamWStep> adamw_steps(std::int64_t step, double learning_rate) const;
    void record();
    void forget_recorded();
    void sum_leaves(std::int64_t slot);
    void update(std::int64_t slot);

    const study::Trial& trial_;
    kernels::Backend& backend_;
    Communicator& group_;
    int thrown_before_ = std::uncaught_exceptions();
    model::Llama model_;
    study::BatchStage stage_;  ///< that blocks_ and windows_ are of
    ThreadTeam team_;
    std::vector<Blocks> blocks_;             ///< by member of the team
    std::unique_ptr<kernels::Links> links_;  ///< none where the group exchanges by messages
    std::int64_t most_at_once_;
    Windows windows_;  ///< of this rank's part of so many batches
    ReductionTree tree_;
    kernels::Storage state_;  ///< its parts, one after the other

    /// A way in which tensors are trained.
    struct Kind {
        double learning_rate_multiplier;
        bool decays;
    };
    std::vector<Kind> kinds_;
    struct Numbers;  ///< what is told and summed, in the backend's memory
    kernels::Storage numbers_;
    Numbers* at_;
    kernels::Storage runs_;
    std::span<const kernels::Run> runs_of_kinds_, runs_of_groups_, whole_;

    std::vector<std::function<void()>> whole_steps_;  ///< one, two, four, ...
    std::function<void()> leaves_part_, update_part_;
};

}  // namespace isogrid::train
