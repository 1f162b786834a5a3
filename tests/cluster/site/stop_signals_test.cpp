#include "cluster/site/stop_signals.hpp"

#include <csignal>
#include <pthread.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.hpp"

namespace isogrid::cluster {
namespace {

TEST(StopSignals, areNotReceivedUntilTheyAreSent) {
    const StopSignals signals;
    EXPECT_FALSE(signals.received());
    std::raise(SIGUSR1);
    EXPECT_TRUE(signals.received());
}

TEST(StopSignals, aClosedTerminalIsOneUnlessItIsIgnored) {
    {
        const StopSignals signals;
        std::raise(SIGHUP);
        EXPECT_TRUE(signals.received());
    }
    const auto before = std::signal(SIGHUP, SIG_IGN);  // as nohup does
    const StopSignals signals;
    std::raise(SIGHUP);
    EXPECT_FALSE(signals.received());
    std::signal(SIGHUP, before);
}

TEST(StopSignals, givesTheSignalsBackToWhomTheyBelonged) {
    struct sigaction before {};
    sigaction(SIGUSR1, nullptr, &before);
    { const StopSignals signals; }
    struct sigaction after {};
    sigaction(SIGUSR1, nullptr, &after);
    EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(StopSignals, leaveMatrixProductsAlone) {
    constexpr int extent = 256, products = 300;
    const auto backend = kernels::make_cpu_backend();
    const std::vector<float> x(extent * extent, 2), weights(extent * extent, 3);
    std::vector<float> out(extent * extent);
    std::vector<float> packed(backend->packed_floats(extent, extent, kernels::Element::float32));

    const StopSignals signals;
    std::jthread sender([main_thread = pthread_self()](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            pthread_kill(main_thread, SIGUSR1);
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
    });
    for (int i = 0; i < products; ++i) {
        const kernels::PackedWeights ready =
            backend->pack_weights({weights.data(), extent, extent}, kernels::Element::float32, packed.data());
        const kernels::ConstMatrix rows{x.data(), extent, extent};
        backend->linear(rows, ready, nullptr, kernels::MutableMatrix{out.data(), extent, extent});
        ASSERT_EQ(out, std::vector<float>(extent * extent, 2 * 3 * extent));
    }
    EXPECT_TRUE(signals.received());
}

}  // namespace
}  // namespace isogrid::cluster
