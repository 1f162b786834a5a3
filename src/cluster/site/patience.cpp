#include "cluster/site/patience.hpp"

#include <algorithm>
#include <thread>

namespace isogrid::cluster {

namespace {

// The kernel adds about 50 us to a nap of any length, so shorter waits are spent awake.
constexpr Nanoseconds awake = std::chrono::microseconds(100), shortest = std::chrono::microseconds(20);
constexpr int part = 8;

}  // namespace

Nanoseconds nap_after(Nanoseconds waited, Nanoseconds longest) {
    if (waited < awake) return Nanoseconds(0);
    return std::min(longest, std::max(shortest, waited / part));
}

void Patience::wait() {
    const auto now = Clock::now();
    if (!waiting_) since_ = now;
    waiting_ = true;
    const Nanoseconds nap = nap_after(now - since_, longest_);
    // No yielding while awake: to a stranger's process the core would go for milliseconds.
    if (nap.count() > 0) std::this_thread::sleep_for(nap);
}

}  // namespace isogrid::cluster
