// The CPU backend with its instruction set named, for tests and benchmarks.
#pragma once

#include "kernels/backend.hpp"

namespace isogrid::kernels::cpu {

enum class InstructionSet { avx2, avx512 };

/// Whether this processor (and operating system) runs it.
bool supported(InstructionSet instruction_set);

/// As make_cpu_backend(), but with own kernels of the given instruction set, which must be supported. The
/// matrix products are oneDNN's, which chooses by itself (ONEDNN_MAX_CPU_ISA limits it).
std::unique_ptr<Backend> make_backend(InstructionSet instruction_set);

}  // namespace isogrid::kernels::cpu
