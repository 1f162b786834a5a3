// Matrix products by oneDNN, on the calling thread alone.
#include "kernels/cpu/matrix_product.hpp"

#include <dnnl.h>
#include <omp.h>
#include <stdexcept>

namespace isogrid::kernels::cpu {

namespace {

/// While it lives, OpenMP regions begun by this thread have one thread: a rank has one core.
class OneThread {
  public:
    OneThread() : before_(omp_get_max_threads()) {
        if (before_ != 1) omp_set_num_threads(1);
    }
    ~OneThread() {
        if (before_ != 1) omp_set_num_threads(before_);
    }
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;

  private:
    int before_;
};

char letter(Transpose transpose) {
    return transpose == Transpose::yes ? 'T' : 'N';
}

}  // namespace

void matrix_product(std::int64_t rows, std::int64_t columns, std::int64_t depth, float scale, Stored a,
                    Stored b, float keep, float* out) {
    const OneThread one_thread;
    const dnnl_status_t status = dnnl_sgemm(letter(a.transpose), letter(b.transpose), rows, columns, depth,
                                            scale, a.data, a.columns, b.data, b.columns, keep, out, columns);
    if (status != dnnl_success)
        throw std::runtime_error("matrix product failed (oneDNN status " + std::to_string(status) + ")");
}

std::string matrix_product_version() {
    const dnnl_version_t* version = dnnl_version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
}

std::string matrix_product_instruction_set() {
    switch (dnnl_get_effective_cpu_isa()) {
        case dnnl_cpu_isa_sse41:
            return "sse41";
        case dnnl_cpu_isa_avx:
            return "avx";
        case dnnl_cpu_isa_avx2:
            return "avx2";
        case dnnl_cpu_isa_avx2_vnni:
            return "avx2_vnni";
        case dnnl_cpu_isa_avx512_core:
            return "avx512_core";
        case dnnl_cpu_isa_avx512_core_vnni:
            return "avx512_core_vnni";
        case dnnl_cpu_isa_avx512_core_bf16:
            return "avx512_core_bf16";
        case dnnl_cpu_isa_avx512_core_amx:
            return "avx512_core_amx";
        default:
            return "isa " + std::to_string(dnnl_get_effective_cpu_isa());
    }
}

}  // namespace isogrid::kernels::cpu
