// The fast backends of a program that tests CUDA's where there may be no card.
#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

std::vector<std::string> fast_backend_names() {
    return {"cuda_on_cpu"};
}

std::vector<std::string> names_that_add_rows_in_order() {
    return {};
}

std::unique_ptr<Backend> make_fast_backend(const std::string&) {
    return cuda::make_backend(0, cuda::Arithmetic::float32);
}

std::string why_not_here(const std::string&) {
    return "";
}

}  // namespace isogrid::kernels::test
