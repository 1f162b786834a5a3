// The table of an instruction set's kernels, of which each other source here provides a part.
#include "kernels/cpu/simd.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

void provide_rows(Simd& simd);
void provide_elementwise(Simd& simd);
void provide_cross_entropy(Simd& simd);
void provide_linear(Simd& simd);
void provide_attention(Simd& simd);

Simd kernels() {
    Simd simd{};
    provide_rows(simd);
    provide_elementwise(simd);
    provide_cross_entropy(simd);
    provide_linear(simd);
    provide_attention(simd);
    return simd;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
