#include "cluster/stop_signals.hpp"

#include <csignal>
#include <pthread.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cpu/matrix_product.hpp"

namespace isogrid::cluster {
namespace {

using kernels::cpu::Transpose;

TEST(StopSignals, areNotReceivedUntilTheyAreSent) {
    const StopSignals signals;
    EXPECT_FALSE(signals.received());
    std::raise(SIGUSR1);
    EXPECT_TRUE(signals.received());
}

TEST(StopSignals, givesTheSignalsBackToWhomTheyBelonged) {
    struct sigaction before {};
    sigaction(SIGUSR1, nullptr, &before);
    { const StopSignals signals; }
    struct sigaction after {};
    sigaction(SIGUSR1, nullptr, &after);
    EXPECT_EQ(before.sa_handler, after.sa_handler);
}

// oneDNN's generated products keep a heap address in the stack pointer: a handler on the thread's own stack
// broke the heap within a few hundred signals, mostly in products that read both operands transposed.
TEST(StopSignals, leaveMatrixProductsAndTheHeapAlone) {
    constexpr int extent = 256, products = 300;
    const std::vector<float> a(extent * extent, 2), b(extent * extent, 3);
    std::vector<float> out(extent * extent);

    const StopSignals signals;
    std::jthread sender([main_thread = pthread_self()](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            pthread_kill(main_thread, SIGUSR1);
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
    });
    for (int i = 0; i < products; ++i)
        for (const Transpose first : {Transpose::no, Transpose::yes})
            for (const Transpose second : {Transpose::no, Transpose::yes}) {
                kernels::cpu::matrix_product(extent, extent, extent, 1, {a.data(), first, extent},
                                             {b.data(), second, extent}, 0, out.data());
                ASSERT_EQ(out, std::vector<float>(extent * extent, 2 * 3 * extent));
            }
    EXPECT_TRUE(signals.received());
}

}  // namespace
}  // namespace isogrid::cluster
