// The tile products of kernels/cpu/simd/tiled_product.hpp behind plain functions: compiled twice, with tiles
// in software and in hardware.
#pragma once

#include <cstdint>

#include "kernels/backend.hpp"
#include "kernels/cpu/simd.hpp"

namespace isogrid::kernels::cpu {

/// Left, Right and Target of kernels/cpu/simd/product.hpp.
struct ProductOperands {
    std::int64_t rows, columns, steps;
    const float* left;
    std::int64_t left_row_stride, left_step_stride;
    const float* right;
    std::int64_t right_step_stride, right_panel_stride;
    bool right_fills_tiles;
    float* sums;
    Bfloat16* rounded;
    std::int64_t stride;
    Write mode;
    const float* addend;
};

namespace amx_software {
void product_on_tiles(const ProductOperands& operands);
/// sums += left right, all of sixteen rows of sixteen words: one instruction.
void multiply_one_tile(const float* left, const float* right, float* sums);
void provide_linear(Simd& simd);
void provide_attention(Simd& simd);
}  // namespace amx_software

namespace amx_hardware {
void product_on_tiles(const ProductOperands& operands);
void multiply_one_tile(const float* left, const float* right, float* sums);
void provide_linear(Simd& simd);
void provide_attention(Simd& simd);
}  // namespace amx_hardware

}  // namespace isogrid::kernels::cpu
