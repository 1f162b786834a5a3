#include "kernels/tile_products.hpp"

#include "kernels/cpu/simd/tiled_product.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

void product_on_tiles(const ProductOperands& operands) {
    Target target;
    target.sums = operands.sums;
    target.rounded = operands.rounded;
    target.stride = operands.stride;
    target.mode = operands.mode;
    target.addend = operands.addend;
    tiled_product<ISOGRID_TILES>(
        operands.rows, operands.columns, operands.steps,
        {operands.left, operands.left_row_stride, operands.left_step_stride},
        {operands.right, operands.right_step_stride, operands.right_panel_stride, operands.right_fills_tiles},
        target);
}

void multiply_one_tile(const float* left, const float* right, float* sums) {
    ISOGRID_TILES tiles;
    tiles.load<0>(sums, lanes);
    tiles.load<left_tile>(left, lanes);
    tiles.load<right_tile>(right, lanes);
    tiles.multiply_add<0, left_tile, right_tile>();
    tiles.store<0>(sums, lanes);
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA
