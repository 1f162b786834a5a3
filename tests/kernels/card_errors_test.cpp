// What CUDA's errors become.
#include <new>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/card_check.hpp"
#include "kernels/cuda/cards.hpp"
#include "kernels/cuda/runtime.hpp"
#include "kernels/cuda/sizes.hpp"

namespace isogrid::kernels::cuda {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Throws;
using testing::ThrowsMessage;

TEST(CardErrors, areNoneWhereACallSucceeded) {
    EXPECT_NO_THROW(check(cudaSuccess, "trying"));
}

TEST(CardErrors, ofMemoryAreTheTrialsOwn) {
    EXPECT_THAT([] { check(cudaErrorMemoryAllocation, "trying"); }, Throws<std::bad_alloc>());
}

TEST(CardErrors, afterWhichNothingWorksAreToldApart) {
    for (const cudaError_t error :
         {cudaErrorECCUncorrectable, cudaErrorIllegalAddress, cudaErrorMisalignedAddress,
          cudaErrorLaunchFailure, cudaErrorContained, cudaErrorTensorMemoryLeak, cudaErrorMpsClientTerminated,
          cudaErrorExternalDevice})
        EXPECT_THAT([&] { check(error, "trying"); }, Throws<CardLost>()) << error;
    try {
        check(cudaErrorInvalidValue, "trying");
        FAIL() << "an error passed";
    } catch (const CardLost&) {
        FAIL() << "a wrong argument ends nothing";
    } catch (const std::runtime_error&) {
    }
}

TEST(CardErrors, thatALibraryMetAreFound) {
    EXPECT_NO_THROW(check_card("trying"));
    cuda_on_cpu::set_standing_error(cudaErrorIllegalAddress);
    EXPECT_THAT([] { check_card("trying"); }, Throws<CardLost>());
    cuda_on_cpu::set_standing_error(cudaSuccess);
}

TEST(CardErrors, sayWhatToDo) {  // `problem (why) what to do`
    EXPECT_THAT(
        [] { check(cudaErrorSystemNotReady, "looking for cards"); },
        ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("looking for cards failed (CUDA error 802: "),
                                                HasSubstr(") see whether nvidia-fabricmanager runs"))));
}

// NVIDIA's release notes: wrong on compute capability 10 and 11 from cuBLAS 12.8 on, right in 13.1.1, 13.2.2
// and 13.3.
TEST(TrialsAtOnce, areOneWhereProductsBesideEachOtherCanBeWrong) {
    for (const std::size_t wrong : {120800U, 130100U, 130200U, 130201U}) {
        EXPECT_EQ(trials_at_once(100, wrong), 1) << wrong;
        EXPECT_EQ(trials_at_once(110, wrong), 1) << wrong;
        EXPECT_GT(trials_at_once(90, wrong), 64) << wrong;
        EXPECT_GT(trials_at_once(120, wrong), 64) << wrong;
    }
    for (const std::size_t right : {120700U, 130101U, 130202U, 130300U})
        EXPECT_GT(trials_at_once(100, right), 64) << right;
}

}  // namespace
}  // namespace isogrid::kernels::cuda
