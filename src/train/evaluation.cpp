#include "train/evaluation.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

namespace isogrid::train {

Evaluation::Evaluation(const study::Trial& trial, const data::TokenFile& tokens, kernels::Backend& backend,
                       Communicator& group, ThreadTeam& team,
                       std::shared_ptr<graph::PackedParameters> parameters)
    : sample_(trial.evaluation.sample),
      context_(trial.shape.context),
      sequences_(trial.evaluation.tokens / trial.shape.context),
      sequences_a_chunk_(trial.leaf_batch()),
      tokens_(tokens),
      backend_(&backend),
      group_(&group),
      team_(&team) {
    assert(sequences_ > 0 && sequences_ * context_ < static_cast<std::int64_t>(tokens.validation().size()));
    for (int i = 0; i < team.size(); ++i) {
        Member& member =
            members_.emplace_back(Member{Blocks(evaluation_graph(trial, backend), backend, parameters),
                                         Windows(sequences_a_chunk_, context_, backend),
                                         backend.allocate(sizeof(double)),
                                         {}});
        member.whole_chunk = backend.recorded([this, &member] { run_into_loss(member, sequences_a_chunk_); });
    }
    const std::int64_t chunks = (sequences_ + sequences_a_chunk_ - 1) / sequences_a_chunk_;
    chunk_losses_.resize(static_cast<std::size_t>(chunks));
    on_backend_ = backend.allocate(chunk_losses_.size() * sizeof(double));
}

std::int64_t Evaluation::start(std::int64_t sequence) const {
    if (sample_ == study::EvaluationSample::first) return sequence * context_;
    const std::int64_t whole = (static_cast<std::int64_t>(tokens_.validation().size()) - 1) / context_;
    return sequence * whole / sequences_ * context_;
}

double* Evaluation::number(const kernels::Storage& storage, std::int64_t at) {
    return reinterpret_cast<double*>(storage.get()) + at;
}

void Evaluation::run_into_loss(Member& member, std::int64_t sequences) {
    backend_->fill_zero(member.loss.get(), sizeof(double));
    member.blocks.run(member.windows, 0, sequences, {}, number(member.loss, 0));
}

void Evaluation::run_chunk(Member& member, std::int64_t chunk) {
    const std::int64_t first = chunk * sequences_a_chunk_;
    const std::int64_t filled = std::min(sequences_a_chunk_, sequences_ - first);
    member.windows.fill(tokens_.validation(), [&](std::int64_t sequence) {
        return start(first + std::min(sequence, filled - 1));  // behind the last: anything, and ignored
    });
    if (filled == sequences_a_chunk_)
        member.whole_chunk();
    else
        run_into_loss(member, filled);
    backend_->accumulate(std::span(number(on_backend_, chunk), 1),
                         std::span<const double>(number(member.loss, 0), 1));
}

double Evaluation::loss() {
    // Each rank fills in its own chunks.
    const std::size_t bytes = chunk_losses_.size() * sizeof(double);
    backend_->fill_zero(on_backend_.get(), bytes);
    const auto chunks = static_cast<std::int64_t>(chunk_losses_.size());
    team_->run([&](int member) {
        const std::int64_t workers = group_->size() * team_->size();
        for (std::int64_t chunk = group_->rank() * team_->size() + member; chunk < chunks; chunk += workers)
            run_chunk(members_[static_cast<std::size_t>(member)], chunk);
    });
    backend_->copy_out(chunk_losses_.data(), on_backend_.get(), bytes);
    join(*group_, chunk_losses_);
    double total = 0;
    for (const double chunk : chunk_losses_)
        total += chunk;
    return total / static_cast<double>(sequences_ * context_);
}

}  // namespace isogrid::train
