// The instruction set that trials are trained with: named on a command line, kept in archives, the same on
// every rank.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu/cpu_backend.hpp"
#include "study/study.hpp"

namespace isogrid::cluster {

using kernels::cpu::InstructionSet;
using RunsHere = std::function<bool(InstructionSet)>;  ///< a test puts another processor here

/// `auto, avx2, avx512, ...`: what --isa takes.
std::string instruction_set_words();

/// The best that this processor runs; none where it runs none that this program has.
std::optional<InstructionSet> best_instruction_set(const RunsHere& runs_here = kernels::cpu::supported);

/// The instruction set that `--isa word` means: `auto` is the best that this processor runs. A fault, told of
/// `verb`, where the word is unknown or this processor does not run it.
base::Result<InstructionSet> instruction_set_of(std::string_view verb, std::string_view word,
                                                const RunsHere& runs_here = kernels::cpu::supported);

/// Where `backend` has to convert a study's numbers before it multiplies them: `problem (why) what to do`.
std::vector<std::string> precision_warnings(const study::Study& study, const kernels::Backend& backend);

}  // namespace isogrid::cluster
