// The CPU backend with its instruction set named: for pinning one, for tests and benchmarks.
#pragma once

#include <array>
#include <string_view>

#include "kernels/backend.hpp"

namespace isogrid::kernels::cpu {

/// Each includes those before it. All give the same bits in float32; in bfloat16 all but amx do, whose linear
/// layers and attention sum in an order of their own (simd/tiles.hpp).
enum class InstructionSet { avx2, avx512, avx512_bf16, amx };

inline constexpr std::array instruction_sets = {InstructionSet::avx2, InstructionSet::avx512,
                                                InstructionSet::avx512_bf16, InstructionSet::amx};

/// The word for it on command lines and in archives: `avx512_bf16`.
std::string_view name(InstructionSet instruction_set);

/// Whether this processor (and operating system) runs it. Of Linux this asks, once, leave to use tiles.
bool supported(InstructionSet instruction_set);

/// The last that is supported; throws std::runtime_error on a processor that runs none.
InstructionSet best_instruction_set();

/// As make_cpu_backend(), but of the given instruction set. Throws std::runtime_error where it is not
/// supported.
std::unique_ptr<Backend> make_backend(InstructionSet instruction_set);

}  // namespace isogrid::kernels::cpu
