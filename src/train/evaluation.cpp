#include "train/evaluation.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

namespace isogrid::train {

Evaluation::Evaluation(const study::Trial& trial, const data::TokenFile& tokens, kernels::Backend& backend,
                       Communicator& group, ThreadTeam& team,
                       std::shared_ptr<graph::PackedParameters> parameters)
    : context_(trial.shape.context),
      sequences_(trial.evaluation.tokens / trial.shape.context),
      sequences_a_chunk_(trial.leaf_batch()),
      tokens_(tokens),
      group_(&group),
      team_(&team) {
    for (int member = 0; member < team.size(); ++member)
        blocks_.emplace_back(evaluation_graph(trial, backend), backend, parameters);
    assert(sequences_ > 0 && sequences_ * context_ < static_cast<std::int64_t>(tokens.validation().size()));
    const std::int64_t chunks = (sequences_ + sequences_a_chunk_ - 1) / sequences_a_chunk_;
    chunk_losses_.resize(static_cast<std::size_t>(chunks));
    incoming_.resize(chunk_losses_.size());
}

double Evaluation::loss() {
    // Each rank fills in its own chunks. The others stay zero, so that adding the ranks' tables changes no
    // bits.
    std::fill(chunk_losses_.begin(), chunk_losses_.end(), 0.0);
    const auto chunks = static_cast<std::int64_t>(chunk_losses_.size());
    team_->run([&](int member) {
        const std::int64_t workers = group_->size() * team_->size();
        for (std::int64_t chunk = group_->rank() * team_->size() + member; chunk < chunks; chunk += workers) {
            const std::int64_t first = chunk * sequences_a_chunk_;
            chunk_losses_[static_cast<std::size_t>(chunk)] = blocks_[static_cast<std::size_t>(member)].run(
                tokens_.validation(), std::min(sequences_a_chunk_, sequences_ - first),
                [&](std::int64_t sequence) { return (first + sequence) * context_; }, {});
        }
    });
    for (int distance = 1; distance < group_->size(); distance *= 2) {
        group_->exchange(group_->rank() ^ distance, std::span<const double>(chunk_losses_), incoming_);
        for (std::size_t i = 0; i < incoming_.size(); ++i)
            chunk_losses_[i] += incoming_[i];
    }
    double total = 0;
    for (const double chunk : chunk_losses_)
        total += chunk;
    return total / static_cast<double>(sequences_ * context_);
}

}  // namespace isogrid::train
