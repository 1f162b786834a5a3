// Where results come from: the program, the machine and the Slurm job, as facts with names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "archive/record.hpp"

namespace isogrid::archive {

/// One fact, for people: stored, printed and never digested.
struct Fact {
    std::string name, value;
    bool operator==(const Fact&) const = default;
};
using Facts = std::vector<Fact>;

/// What the first fact of this name says; empty where there is none.
std::string value_of(const Facts& facts, std::string_view name);

/// The git revision this program was built from, `-dirty` behind it when files differed from it; `unknown`
/// outside a git checkout.
std::string code_revision();

/// Revision, compiler, flags, build type and the version of HDF5; callers add the libraries they know, such
/// as MPI.
Facts build_facts();

/// Host, processor, revision and Slurm job of this process; the caller adds instruction set, ranks and times.
TrialProvenance provenance_here();

/// A word that is the same for all whose trials have the same bits, of what provenance says they were trained
/// with: `avx2` for processors, but `amx` for its bfloat16 (kernels/cpu/cpu_backend.hpp); a kind of card for
/// itself, and so is what this program does not know.
std::string bits_of(const std::string& instruction_set, study::Precision precision);

}  // namespace isogrid::archive
