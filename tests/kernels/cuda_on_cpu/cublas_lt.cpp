// cublasLtMatmul as its documentation has it: D = alpha op(A) op(B) + beta C, matrices column-major.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "cublasLt.h"
#include "kernels/bfloat16.hpp"

namespace card = isogrid::kernels::cuda_on_cpu;

struct EmulatedCublas {};
struct EmulatedPreference {};
struct EmulatedLayout {
    cudaDataType_t type;
    std::int64_t rows, columns, leading;
};
struct EmulatedProduct {
    cublasComputeType_t compute;
    cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
};

namespace {

using isogrid::kernels::Bfloat16;

float read(const void* data, const EmulatedLayout& layout, std::int64_t row, std::int64_t column) {
    const std::int64_t at = column * layout.leading + row;
    return layout.type == CUDA_R_16BF ? isogrid::kernels::widened(static_cast<const Bfloat16*>(data)[at])
                                      : static_cast<const float*>(data)[at];
}

/// 10 bits of fraction, the rest cut off.
float as_tf32(float value) {
    return __uint_as_float(__float_as_uint(value) & 0xffffe000u);
}

/// op(matrix), column-major and dense.
std::vector<float> dense(const void* data, const EmulatedLayout& layout, cublasOperation_t operation,
                         bool tf32) {
    std::vector<float> values(static_cast<std::size_t>(layout.rows * layout.columns));
    const bool turned = operation == CUBLAS_OP_T;
    for (std::int64_t column = 0; column < layout.columns; ++column)
        for (std::int64_t row = 0; row < layout.rows; ++row) {
            const float value = read(data, layout, row, column);
            const std::int64_t at = turned ? row * layout.columns + column : column * layout.rows + row;
            values[static_cast<std::size_t>(at)] = tf32 ? as_tf32(value) : value;
        }
    return values;
}

}  // namespace

std::size_t cublasLtGetVersion() {
    return 130100;
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    *handle = new EmulatedCublas;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type,
                                          std::uint64_t rows, std::uint64_t columns, std::int64_t leading) {
    if (leading < std::int64_t(rows)) card::stop("a leading dimension below the number of rows");
    *layout = new EmulatedLayout{type, std::int64_t(rows), std::int64_t(columns), leading};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
    if (scale != CUDA_R_32F) card::stop("alpha and beta are float32 here");
    *product = new EmulatedProduct{compute};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
    delete product;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              std::size_t bytes) {
    if (bytes != sizeof(cublasOperation_t)) card::stop("an attribute of the wrong size");
    std::memcpy(attribute == CUBLASLT_MATMUL_DESC_TRANSA ? &product->a : &product->b, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
    *preference = new EmulatedPreference;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void*, std::size_t bytes) {
    if (bytes != (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES ? 8u : 4u))
        card::stop("a preference of the wrong size");
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int wanted,
                                              cublasLtMatmulHeuristicResult_t* found, int* count) {
    for (*count = 0; *count < std::min(wanted, 4); ++*count)
        found[*count] = {.algo = {1 + *count},
                         .workspaceSize = 1024,
                         .state = *count == 1 ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t, void* value,
                                                    std::size_t bytes, std::size_t* written) {
    if (bytes != sizeof algorithm->parts) card::stop("an attribute of the wrong size");
    std::memcpy(value, &algorithm->parts, bytes);
    *written = bytes;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t product, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              std::size_t workspace_bytes, cudaStream_t stream) {
    for (const void* matrix : {a, b, c, const_cast<const void*>(d), const_cast<const void*>(workspace)}) {
        if (!card::on_card(matrix)) card::stop("a product of the program's memory");
        if (reinterpret_cast<std::uintptr_t>(matrix) % 16 != 0) card::stop("a product of unaligned memory");
    }
    card::note_asked({.products = 1});
    const float alpha_value = *static_cast<const float*>(alpha),
                beta_value = *static_cast<const float*>(beta);
    // By value: a captured product may run when what describes it is gone.
    card::submit(stream, [=, product = *product, a_shape = *a_layout, b_shape = *b_layout,
                          c_shape = *c_layout, d_shape = *d_layout, parts = algorithm->parts] {
        const card::Access access;
        std::memset(workspace, 0xff, workspace_bytes);
        const bool tf32 = product.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
        const std::vector<float> left = dense(a, a_shape, product.a, tf32),
                                 right = dense(b, b_shape, product.b, tf32);
        const std::int64_t rows = product.a == CUBLAS_OP_T ? a_shape.columns : a_shape.rows;
        const std::int64_t steps = product.a == CUBLAS_OP_T ? a_shape.rows : a_shape.columns;
        const std::int64_t columns = product.b == CUBLAS_OP_T ? b_shape.rows : b_shape.columns;
        if (steps != (product.b == CUBLAS_OP_T ? b_shape.columns : b_shape.rows) || rows != d_shape.rows ||
            columns != d_shape.columns || c_shape.rows != rows || c_shape.columns != columns)
            card::stop("matrices that do not go together");
        std::vector<float> sums(static_cast<std::size_t>(rows)), of_part(sums.size());
        for (std::int64_t column = 0; column < columns; ++column) {
            for (int part = 0; part < parts; ++part) {
                std::ranges::fill(of_part, 0.0F);
                for (std::int64_t step = part * steps / parts; step < (part + 1) * steps / parts; ++step) {
                    const float factor = right[static_cast<std::size_t>(column * steps + step)];
                    const float* of_step = left.data() + step * rows;
                    for (std::int64_t row = 0; row < rows; ++row)
                        of_part[static_cast<std::size_t>(row)] += of_step[row] * factor;
                }
                if (part == 0)
                    sums = of_part;
                else
                    std::ranges::transform(sums, of_part, sums.begin(), std::plus());
            }
            for (std::int64_t row = 0; row < rows; ++row) {
                float value = alpha_value * sums[static_cast<std::size_t>(row)];
                if (steps % parts != 0) value = NAN;  // cuBLASLt may be wrong there, on some cards
                if (beta_value != 0) value += beta_value * read(c, c_shape, row, column);
                const std::int64_t at = column * d_shape.leading + row;
                if (d_shape.type == CUDA_R_16BF)
                    static_cast<Bfloat16*>(d)[at] = isogrid::kernels::rounded(value);
                else
                    static_cast<float*>(d)[at] = value;
            }
        }
    });
    return CUBLAS_STATUS_SUCCESS;
}
