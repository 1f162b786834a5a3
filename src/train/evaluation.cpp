#include "train/evaluation.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "model/llama.hpp"
#include "train/windows.hpp"

namespace isogrid::train {

Evaluation::Evaluation(const study::Trial& trial, const data::TokenFile& tokens, kernels::Backend& backend,
                       Communicator& group)
    : context_(trial.shape.context),
      sequences_(trial.evaluation.tokens / trial.shape.context),
      sequences_a_chunk_(trial.leaf_batch()),
      tokens_(tokens),
      backend_(&backend),
      group_(&group),
      program_(model::build_forward(trial.shape, trial.parametrization, sequences_a_chunk_).graph, backend),
      inputs_(static_cast<std::size_t>(sequences_a_chunk_ * context_)),
      targets_(inputs_.size()) {
    assert(sequences_ > 0 && sequences_ * context_ < static_cast<std::int64_t>(tokens.validation().size()));
    const std::int64_t chunks = (sequences_ + sequences_a_chunk_ - 1) / sequences_a_chunk_;
    chunk_losses_.resize(static_cast<std::size_t>(chunks));
    incoming_.resize(chunk_losses_.size());
}

double Evaluation::loss(std::span<float> weights) {
    // Each rank fills in its own chunks. The others stay zero, so that adding the ranks' tables changes no
    // bits.
    std::fill(chunk_losses_.begin(), chunk_losses_.end(), 0.0);
    const auto chunks = static_cast<std::int64_t>(chunk_losses_.size());
    for (std::int64_t chunk = group_->rank(); chunk < chunks; chunk += group_->size())
        chunk_losses_[static_cast<std::size_t>(chunk)] = chunk_loss(chunk, weights);
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

double Evaluation::chunk_loss(std::int64_t chunk, std::span<float> weights) {
    const std::int64_t first = chunk * sequences_a_chunk_;
    const std::int64_t filled = std::min(sequences_a_chunk_, sequences_ - first);
    for (std::int64_t row = 0; row < sequences_a_chunk_; ++row) {
        const std::int64_t sequence =
            row < filled ? first + row : 0;  // the graph's size is fixed: pad, and ignore
        copy_window(tokens_.validation(), sequence * context_, context_, row, inputs_, targets_);
    }
    program_.run(inputs_, targets_, weights, {});
    return backend_->sum(program_.losses().first(static_cast<std::size_t>(filled * context_)));
}

}  // namespace isogrid::train
