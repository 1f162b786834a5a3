// The instruction set that trials are trained with: named on a command line, kept in archives, the same on
// every rank.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cuda/cards.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

using kernels::cpu::InstructionSet;
using RunsHere = std::function<bool(InstructionSet)>;  ///< a test puts another processor here

/// `auto, avx2, avx512, ...`: what --isa takes.
std::string instruction_set_words();

/// The instruction set that `--isa word` means: `auto` is the best that this processor runs. A fault, told of
/// `verb`, where the word is unknown or this processor does not run it.
base::Result<InstructionSet> instruction_set_of(std::string_view verb, std::string_view word,
                                                const RunsHere& runs_here = kernels::cpu::supported);

/// With what to train a trial of an archive again, and how to say so.
struct Retraining {
    std::optional<int> card;  ///< by its number; none: on the processor
    InstructionSet instruction_set;
    std::string made_with;       ///< the word in the provenance; empty where there is none
    std::string retrained_with;  ///< `avx512`, or `sm_90x132` on a card
    std::string words;           ///< `made with avx512, retrained with avx512`
};

/// `pinned` where it is given (--isa), else what `provenance` (of the trial) names: an instruction set, or
/// the kind of a card, of which `seen` may have one. Where this machine has none, another card, or
/// the best instruction set here; `words` say so.
Retraining retraining(std::string_view provenance, std::optional<InstructionSet> pinned,
                      const kernels::CudaCards& seen, const RunsHere& runs_here = kernels::cpu::supported);

/// Where `backend` has to convert a study's numbers before it multiplies them: `problem (why) what to do`.
std::vector<std::string> precision_warnings(const study::Study& study, const kernels::Backend& backend);

}  // namespace isogrid::cluster
