// A sweep that goes on, perhaps on other machines, is to have the bits of the trials that are there; where it
// will not, or is slower for it, that is told. `begun`: what they were trained with, as provenance names it.
#pragma once

#include <set>
#include <string>

#include "cluster/site/processor.hpp"
#include "study/trial.hpp"

namespace isogrid::cluster {

/// The instruction set to go on with: `best`, or where trials of this precision would then have other bits
/// than those that are there, the best below it that has theirs.
InstructionSet as_begun(InstructionSet best, const std::set<std::string>& begun, study::Precision precision);

/// Whether trials made with `word` (`avx512`, `sm_90x132`) would have other bits than all those that are
/// there, which have those of one.
bool would_mix_bits(const std::set<std::string>& begun, const std::string& word, study::Precision precision);

/// The warning for trials that would_mix_bits: `problem (why) what to do`.
std::string warning_of_mixed_bits(const std::set<std::string>& begun);

/// The warning for a sweep that is trained with `chosen`, for the bits of the trials that are there, although
/// all its processors run `best`.
std::string warning_of_lower_set(const std::string& chosen, InstructionSet best);

}  // namespace isogrid::cluster
