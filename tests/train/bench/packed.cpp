#include "train/bench/packed.hpp"

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/cuda/cards.hpp"
#include "train/bench/step.hpp"

namespace isogrid::bench {

double tokens_per_second_together(const BenchShape& shape, std::string_view precision, int together,
                                  double seconds) {
    using Clock = std::chrono::steady_clock;
    constexpr int steps_a_turn = 10;
    std::barrier ready(together + 1);
    std::atomic<bool> stop = false;
    std::mutex mutex;
    double steps_a_second = 0;
    std::exception_ptr thrown;
    const auto train = [&] {
        std::unique_ptr<kernels::Backend> backend;
        std::unique_ptr<Training> training;
        const auto guarded = [&](auto work) {
            try {
                work();
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (!thrown) thrown = std::current_exception();
                stop = true;
            }
        };
        const auto turn = [&] {
            for (int i = 0; i < steps_a_turn; ++i)
                training->step();
            training->wait();
        };
        guarded([&] {
            backend = kernels::make_cuda_backend_beside_others(0);
            training = std::make_unique<Training>(shape, precision, *backend);
            turn();  // makes ready, and records
        });
        ready.arrive_and_wait();
        guarded([&] {
            // Each by its own clock, to the end of its last turn: the others end theirs at about that time
            // too.
            const auto start = Clock::now();
            std::int64_t steps = 0;
            for (; !stop; steps += steps_a_turn)
                turn();
            const double rate =
                static_cast<double>(steps) / std::chrono::duration<double>(Clock::now() - start).count();
            const std::lock_guard lock(mutex);
            steps_a_second += rate;
        });
    };
    std::vector<std::thread> seats;
    for (int i = 0; i < together; ++i)
        seats.emplace_back(train);
    ready.arrive_and_wait();
    const auto start = Clock::now();
    while (!stop && Clock::now() - start < std::chrono::duration<double>(seconds))
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stop = true;
    for (std::thread& seat : seats)
        seat.join();
    if (thrown) std::rethrow_exception(thrown);
    return steps_a_second * static_cast<double>(shape.tokens_per_step());
}

}  // namespace isogrid::bench
