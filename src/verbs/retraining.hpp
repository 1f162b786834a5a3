// Training a trial of an archive again, as `verify --retrain` and `export` do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "archive/archive.hpp"
#include "cluster/site/processor.hpp"
#include "data/token_file.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cuda/cards.hpp"
#include "verbs/verb.hpp"

namespace isogrid::verbs {

/// Options of the verbs that train again: --isa and --tokens.
void add_training(Verb& verb);

/// What --isa of `verb` pins; nothing where it leaves the choice open.
base::Result<std::optional<cluster::InstructionSet>> pinned_instruction_set(
    std::string_view verb, const options::variables_map& given);

/// The token file that the trials of the archive at `place` were trained on: --tokens, or as the job names
/// it. The job's folder is not in the archive: what is relative is looked for from the archive's folder,
/// which mostly lies beside the job's, and from the current one. The digest says whether it is the right
/// file, and all of it is read to see that its tokens are those of the digest.
base::Result<data::TokenFile> tokens_of(const archive::Archive& archive, const std::filesystem::path& place,
                                        const options::variables_map& given);

/// A fault when a program of another numerics version made the trial: this one has other bits for it.
base::Faults other_numerics(const study::PlannedTrial& planned);

/// With what to train a trial of an archive again, and how to say so.
struct Retraining {
    std::optional<int> card;  ///< by its number; none: on the processor
    cluster::InstructionSet instruction_set;
    std::string made_with;       ///< as the provenance says; empty where it says nothing
    std::string retrained_with;  ///< `avx512`, or `sm_90x132` on a card
    std::string words;           ///< `made with avx512, retrained with avx512`
};

/// `pinned` where it is given (--isa), else what `provenance` (of the trial) names: an instruction set, or
/// the kind of a card, of which `seen` may have one. Where this machine has none, another card, or
/// the best instruction set here; `words` say so.
Retraining retraining(std::string_view provenance, std::optional<cluster::InstructionSet> pinned,
                      const kernels::CudaCards& seen,
                      const cluster::RunsHere& runs_here = kernels::cpu::supported);

/// Trains a trial of an archive again, up to `step` (-1: to its end), and says in `how.retrained_with` all
/// that bits depend on.
archive::TrialResult retrain(const study::Trial& trial, const data::TokenFile& tokens, std::int64_t step,
                             Retraining& how);

}  // namespace isogrid::verbs
