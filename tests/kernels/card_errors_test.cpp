// What CUDA's errors become.
#include <new>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/card_check.hpp"
#include "kernels/cuda/cards.hpp"
#include "kernels/cuda/runtime.hpp"

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

}  // namespace
}  // namespace isogrid::kernels::cuda
