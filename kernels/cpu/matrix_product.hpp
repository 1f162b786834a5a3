// Matrix products by oneDNN, on the calling thread alone.
#pragma once

#include <cstdint>
#include <string>

namespace isogrid::kernels::cpu {

enum class Transpose { no, yes };

/// A row-major matrix as it stands in memory; `columns` is also its stride.
struct Stored {
    const float* data;
    Transpose transpose;
    std::int64_t columns;
};

/// out (rows, columns) = scale * a (rows, depth) * b (depth, columns) + keep * out, each of a and b read
/// transposed where said. keep is 0 (out need not hold numbers) or 1.
void matrix_product(std::int64_t rows, std::int64_t columns, std::int64_t depth, float scale, Stored a,
                    Stored b, float keep, float* out);

/// oneDNN's version, as `2.6.3`.
std::string matrix_product_version();

/// The instruction set that oneDNN runs on, by its own name.
std::string matrix_product_instruction_set();

}  // namespace isogrid::kernels::cpu
