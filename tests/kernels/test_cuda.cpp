// What the CUDA backend says where there is none.
#include <stdexcept>

#include "kernels/kernel_test.hpp"
#include "kernels/shared_library.hpp"

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

TEST(SharedLibrary, findsAFunctionWhenItIsAskedFor) {
    const SharedLibrary mathematics("libm.so.6", "install a C library");
    EXPECT_EQ(mathematics.function<double(double)>("sqrt")(16), 4);
    try {
        mathematics.function<double(double)>("square_circle");
        FAIL() << "found what is not there";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("square_circle"));
    }
}

TEST(SharedLibrary, saysWhichIsMissingAndWhatToDo) {
    try {
        SharedLibrary("libnothing.so.13", "choose device = \"cpu\"");
        FAIL() << "found what is not there";
    } catch (const std::runtime_error& error) {  // `problem (why) what to do`
        EXPECT_THAT(error.what(), testing::MatchesRegex("cannot load libnothing.so.13 \\(.+\\) choose .+"));
    }
}

}  // namespace

}  // namespace isogrid::kernels::test
