#include "cluster/messages/post_office.hpp"

#include <utility>

#include "cluster/site/clocks.hpp"

namespace isogrid::cluster {

PostOffice::PostOffice(int boxes) : boxes_(static_cast<std::size_t>(boxes)) {}

void PostOffice::post(Envelope envelope, int box) {
    Box& to = boxes_.at(static_cast<std::size_t>(box));
    {
        const std::lock_guard lock(to.mutex);
        to.envelopes.push_back(std::move(envelope));
    }
    to.filled.notify_one();
}

std::optional<Envelope> PostOffice::take(int box) {
    Box& from = boxes_.at(static_cast<std::size_t>(box));
    const std::lock_guard lock(from.mutex);
    if (from.envelopes.empty()) return std::nullopt;
    Envelope envelope = std::move(from.envelopes.front());
    from.envelopes.pop_front();
    return envelope;
}

void PostOffice::wait(int box, std::chrono::milliseconds longest) {
    Box& from = boxes_.at(static_cast<std::size_t>(box));
    std::unique_lock lock(from.mutex);
    from.filled.wait_for(lock, longest, [&] { return !from.envelopes.empty(); });
}

void Desk::send(std::span<const std::byte> bytes, int to) {
    office_.post({.from = box_, .bytes = {bytes.begin(), bytes.end()}}, to);
}

double Desk::now() const {
    return steady_seconds();
}

/// A note ends it at once, so it may be long: what else is looked at between two waits is a clock or a
/// signal.
void Desk::wait_briefly() {
    constexpr std::chrono::milliseconds longest{50};
    office_.wait(box_, longest);
}

}  // namespace isogrid::cluster
