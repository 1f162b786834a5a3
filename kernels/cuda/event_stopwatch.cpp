#include "kernels/cuda/event_stopwatch.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace isogrid::kernels::cuda {

namespace {

/// A place in a stream, and when the card came to it.
class TimedEvent {
  public:
    TimedEvent() { check(cudaEventCreateWithFlags(&event_, cudaEventDefault), "making an event"); }
    ~TimedEvent() {
        if (event_ != nullptr) cudaEventDestroy(event_);
    }
    TimedEvent(TimedEvent&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
    TimedEvent& operator=(TimedEvent&&) = delete;

    cudaEvent_t get() const { return event_; }

  private:
    cudaEvent_t event_ = nullptr;
};

class EventStopwatch final : public Stopwatch {
  public:
    EventStopwatch(cudaStream_t stream, const Look& look) : stream_(stream), look_(look) {}

    void mark() override {
        if (marks_ == events_.size()) events_.emplace_back();
        check(cudaEventRecord(events_[marks_++].get(), stream_), "noting a time on the card");
    }

    std::vector<double> laps() override {
        std::vector<double> seconds;
        if (marks_ > 0) wait_for(events_[marks_ - 1].get(), look_);
        for (std::size_t i = 1; i < marks_; ++i) {
            float milliseconds = 0;
            check(cudaEventElapsedTime(&milliseconds, events_[i - 1].get(), events_[i].get()),
                  "reading a time of the card");
            seconds.push_back(1e-3 * static_cast<double>(milliseconds));
        }
        marks_ = 0;
        return seconds;
    }

  private:
    cudaStream_t stream_;
    const Look& look_;
    std::vector<TimedEvent> events_;  ///< kept for the next marks
    std::size_t marks_ = 0;
};

}  // namespace

std::unique_ptr<Stopwatch> stopwatch_on(cudaStream_t stream, const Look& look) {
    return std::make_unique<EventStopwatch>(stream, look);
}

}  // namespace isogrid::kernels::cuda
