// What the CUDA backend says where there is none.
#include <stdexcept>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

TEST(CudaBackend, saysWhyThereIsNoneAndWhatToDo) {
    try {
        make_cuda_backend(0);
        GTEST_SKIP() << "there is a card";
    } catch (const std::runtime_error& error) {  // `problem (why) what to do`
        EXPECT_THAT(error.what(), testing::MatchesRegex(".+ \\(.+\\) .+"));
        EXPECT_THAT(error.what(), testing::HasSubstr("device = \"cpu\""));
    }
}

}  // namespace

}  // namespace isogrid::kernels::test
