// Matrix products by cuBLASLt.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cublasLt.h>
#include <map>
#include <memory>
#include <type_traits>

#include "kernels/backend.hpp"
#include "kernels/cuda/runtime.hpp"

namespace isogrid::kernels::cuda {

/// What multiplies float32: products of its own, or of 10 bits of fraction with sums in float32.
enum class Arithmetic { float32, tf32 };

/// A row-major factor as it stands in memory; `transposed` if its transpose is what is multiplied.
struct Factor {
    ConstActivations matrix;
    bool transposed = false;
};

/// For each shape cuBLASLt's first choice among algorithms that sum in a fixed order, or its first that
/// splits the sums where multiprocessors would have nothing to do, kept from then on: the same bits on every
/// call on cards of one kind with one version of cuBLASLt.
class Products {
  public:
    static constexpr std::int64_t most_workspace_bytes = std::int64_t{32} << 20;  // as cuBLAS on sm_90

    Products(Arithmetic arithmetic, int multiprocessors);

    /// Of cuBLASLt, as it counts: 130100 is 13.1.0.
    static std::size_t library_version();

    /// out = left right, plus `addend` (laid out as `out`, float32 as out is then; it may be out's own
    /// memory) where there is one.
    void multiply(const Card& card, Factor left, Factor right, const float* addend, Activations out);

  private:
    struct Shape;
    struct Plan;
    template <class Handle, cublasStatus_t (*destroy)(Handle)>
    struct Destroyer {
        using pointer = Handle;
        void operator()(Handle handle) const { destroy(handle); }
    };
    template <class Handle, cublasStatus_t (*destroy)(Handle)>
    using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroyer<Handle, destroy>>;
    using Library = Owned<cublasLtHandle_t, cublasLtDestroy>;
    using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
    using Description = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
    using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

    static Layout layout_of(ConstActivations matrix);
    Plan make_plan(const Factor& left, const Factor& right, Activations out) const;

    Arithmetic arithmetic_;
    int multiprocessors_;
    Library library_;
    std::map<Shape, Plan> plans_;
};

/// All that a plan depends on.
struct Products::Shape {
    std::int64_t left_rows, left_columns, right_rows, right_columns, out_rows, out_columns;
    Element factors, out;
    bool left_transposed, right_transposed;

    auto operator<=>(const Shape&) const = default;
};

struct Products::Plan {
    Description description;
    Layout left, right, out;
    cublasLtMatmulAlgo_t algorithm;
    std::size_t workspace_bytes;
};

}  // namespace isogrid::kernels::cuda
