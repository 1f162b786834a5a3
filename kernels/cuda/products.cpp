#include "kernels/cuda/products.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/cuda/card_check.hpp"

namespace isogrid::kernels::cuda {

namespace {

constexpr std::uint32_t least_alignment = 16;  // of every matrix here; tensors have 64

void check(cublasStatus_t status, const char* doing) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    if (status == CUBLAS_STATUS_ALLOC_FAILED) throw std::bad_alloc();
    check_card(doing);
    // Kernels are loaded when they are first used; whether a failure is that of their memory it does not say.
    constexpr std::size_t room_for_kernels = std::size_t{256} << 20;
    std::size_t free = 0, total = 0;
    const bool is_full = cudaMemGetInfo(&free, &total) == cudaSuccess && free < room_for_kernels;
    if (is_full && status != CUBLAS_STATUS_NOT_SUPPORTED && status != CUBLAS_STATUS_INVALID_VALUE)
        throw std::bad_alloc();
    throw std::runtime_error(std::string(doing) + " failed (cuBLASLt status " + std::to_string(status) +
                             ") see whether the driver is as new as the CUDA libraries beside isogrid");
}

using Found = cublasLtMatmulHeuristicResult_t;

/// Parts that a sum is cut into, to be computed beside each other; 1 of an algorithm that knows none.
std::int32_t parts_of_sums(const Found& found) {
    std::int32_t parts = 1;
    std::size_t written = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoConfigGetAttribute(
        &found.algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &parts, sizeof parts, &written);
    return status == CUBLAS_STATUS_SUCCESS ? std::max(parts, 1) : 1;
}

/// Whether long sums make numbers so few that most of the card would be idle but for their parts. Tiles of
/// 128 x 128 are what cuBLASLt likes best.
bool needs_parts(std::int64_t terms, Activations out, int multiprocessors) {
    constexpr std::int64_t tile = 128, long_sum = 2048;
    const std::int64_t tiles = (out.rows + tile - 1) / tile * ((out.columns + tile - 1) / tile);
    return terms >= long_sum && tiles < multiprocessors;
}

cudaDataType_t type_of(Element element) {
    return element == Element::bfloat16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// Makes a handle by the library's function for it.
template <class Owned, class Make>
Owned made(Make make, const char* doing) {
    typename Owned::pointer handle = nullptr;
    check(make(&handle), doing);
    return Owned(handle);
}

}  // namespace

std::size_t Products::library_version() {
    return cublasLtGetVersion();
}

Products::Products(Arithmetic arithmetic, int multiprocessors)
    : arithmetic_(arithmetic),
      multiprocessors_(multiprocessors),
      library_(made<Library>(cublasLtCreate, "starting cuBLASLt")) {}

/// cuBLASLt's matrices are column-major: what stands in memory is the transpose of ours.
Products::Layout Products::layout_of(ConstActivations matrix) {
    return made<Layout>(
        [&](cublasLtMatrixLayout_t* layout) {
            return cublasLtMatrixLayoutCreate(layout, type_of(matrix.element),
                                              static_cast<std::uint64_t>(matrix.columns),
                                              static_cast<std::uint64_t>(matrix.rows), matrix.stride());
        },
        "describing a matrix");
}

/// out^T = right^T left^T, so that cuBLASLt's first factor is our right one.
Products::Plan Products::make_plan(const Factor& left, const Factor& right, Activations out) const {
    const bool tf32 = arithmetic_ == Arithmetic::tf32 && left.matrix.element == Element::float32;
    Plan plan{made<Description>(
                  [&](cublasLtMatmulDesc_t* description) {
                      return cublasLtMatmulDescCreate(
                          description, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F);
                  },
                  "describing a product"),
              layout_of(left.matrix),
              layout_of(right.matrix),
              layout_of(out),
              {},
              0};
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, auto value) {
        check(cublasLtMatmulDescSetAttribute(plan.description.get(), attribute, &value, sizeof value),
              "describing a product");
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, right.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, left.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);

    const auto preference = made<Preference>(cublasLtMatmulPreferenceCreate, "choosing an algorithm");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
        check(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value),
              "choosing an algorithm");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{most_workspace_bytes});
    // Sums may be split into parts that are added by a kernel of their own, in order; not by atomics. Parts
    // are float32, also where that is what the output is.
    std::uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    if (out.element == Element::float32) schemes |= CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, least_alignment);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, least_alignment);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, least_alignment);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, least_alignment);

    // Best first, as cuBLASLt sees it, which may leave sums whole that are worth splitting.
    std::array<Found, 16> results{};
    int count = 0;
    check(cublasLtMatmulAlgoGetHeuristic(library_.get(), plan.description.get(), plan.right.get(),
                                         plan.left.get(), plan.out.get(), plan.out.get(), preference.get(),
                                         static_cast<int>(results.size()), results.data(), &count),
          "choosing an algorithm");
    // Parts of unequal length are wrong at times on sm_90 and later, from cuBLAS 12.6.3 to CUDA 13.4
    // (NVIDIA's bug 6580689, in CUDA's release notes).
    const std::int64_t terms = left.transposed ? left.matrix.rows : left.matrix.columns;
    const auto works = [&](const Found& found) {
        return found.state == CUBLAS_STATUS_SUCCESS && terms % parts_of_sums(found) == 0;
    };
    const auto end = results.begin() + count, first = std::find_if(results.begin(), end, works);
    check(first == end ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS, "choosing an algorithm");
    auto chosen = first;
    if (needs_parts(terms, out, multiprocessors_)) {
        chosen = std::find_if(first, end,
                              [&](const Found& found) { return works(found) && parts_of_sums(found) > 1; });
        if (chosen == end) chosen = first;
    }
    plan.algorithm = chosen->algo;
    plan.workspace_bytes = chosen->workspaceSize;
    return plan;
}

void Products::multiply(const Card& card, Factor left, Factor right, const float* addend, Activations out) {
    const Shape shape{left.matrix.rows, left.matrix.columns, right.matrix.rows,   right.matrix.columns,
                      out.rows,         out.columns,         left.matrix.element, out.element,
                      left.transposed,  right.transposed};
    auto found = plans_.find(shape);
    if (found == plans_.end()) found = plans_.emplace(shape, make_plan(left, right, out)).first;
    const Plan& plan = found->second;

    const float one = 1, of_addend = addend != nullptr ? 1 : 0;
    void* workspace = card.scratch->take<std::byte>(static_cast<std::int64_t>(plan.workspace_bytes));
    check(cublasLtMatmul(library_.get(), plan.description.get(), &one, right.matrix.data, plan.right.get(),
                         left.matrix.data, plan.left.get(), &of_addend, addend != nullptr ? addend : out.data,
                         plan.out.get(), out.data, plan.out.get(), &plan.algorithm, workspace,
                         plan.workspace_bytes, card.stream),
          "multiplying matrices");
}

}  // namespace isogrid::kernels::cuda
