// Memory of the backends that live on the host: plain 64-byte aligned allocations and copies.
#include "kernels/host_backend.hpp"

#include <cassert>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include <sys/mman.h>

namespace isogrid::kernels {

namespace {

constexpr std::size_t cache_line = 64, small_page = 4096, huge_page = std::size_t{2} << 20;

class ClockStopwatch final : public Stopwatch {
  public:
    void mark() override { marks_.push_back(Clock::now()); }
    std::vector<double> laps() override {
        std::vector<double> seconds;
        for (std::size_t i = 1; i < marks_.size(); ++i)
            seconds.push_back(std::chrono::duration<double>(marks_[i] - marks_[i - 1]).count());
        marks_.clear();
        return seconds;
    }

  private:
    using Clock = std::chrono::steady_clock;
    std::vector<Clock::time_point> marks_;
};

}  // namespace

std::unique_ptr<Stopwatch> HostBackend::stopwatch() {
    return std::make_unique<ClockStopwatch>();
}

Storage HostBackend::allocate(std::size_t bytes) {
    const std::align_val_t alignment{bytes >= huge_page ? huge_page : cache_line};
    auto* memory = static_cast<std::byte*>(::operator new[](bytes, alignment));
    // Products walk over more memory than the processor remembers the addresses of small pages for. Where the
    // system has no huge pages for those who ask, nothing is lost.
    if (bytes >= huge_page) ::madvise(memory, bytes / small_page * small_page, MADV_HUGEPAGE);
    return Storage(memory, [alignment](std::byte* address) { ::operator delete[](address, alignment); });
}

void HostBackend::copy_in(void* destination, const void* host_source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(destination, host_source, bytes);
}

void HostBackend::copy_out(void* host_destination, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(host_destination, source, bytes);
}

void HostBackend::fill_zero(void* destination, std::size_t bytes) {
    if (bytes > 0) std::memset(destination, 0, bytes);
}

void HostBackend::accumulate(std::span<double> destination, std::span<const double> source) {
    assert(destination.size() == source.size());
    for (std::size_t i = 0; i < source.size(); ++i)
        destination[i] += source[i];
}

void HostBackend::close_step(const double* loss_sum, const double* squares, const AdamWStep* step,
                             StepRule rule, Standing* standing) {
    if (standing->ended_at != 0) return;
    const double norm = std::sqrt(*squares);
    standing->loss = *loss_sum / rule.tokens;
    standing->loss_sum += standing->loss;
    standing->gradient_norm = norm;
    standing->gradient_scale = rule.gradient_clip > 0 && norm > rule.gradient_clip
                                   ? static_cast<float>(rule.gradient_clip / norm)
                                   : 1.0f;
    if (!std::isfinite(standing->loss) || !std::isfinite(norm)) standing->ended_at = step->step;
}

}  // namespace isogrid::kernels
