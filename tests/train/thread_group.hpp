// Ranks as threads of one process, so that a group can be tested without MPI.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "train/communicator.hpp"

namespace isogrid::tests {

/// Mailboxes shared by the ranks of a group: (from, to) -> messages.
class PostOffice {
  public:
    void send(int from, int to, std::vector<double> message) {
        {
            const std::lock_guard lock(mutex_);
            boxes_[{from, to}].push_back(std::move(message));
        }
        arrived_.notify_all();
    }
    std::vector<double> receive(int from, int to) {
        std::unique_lock lock(mutex_);
        auto& box = boxes_[{from, to}];
        arrived_.wait(lock, [&] { return !box.empty(); });
        std::vector<double> message = std::move(box.front());
        box.pop_front();
        return message;
    }

  private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::map<std::pair<int, int>, std::deque<std::vector<double>>> boxes_;
};

class ThreadRank final : public train::Communicator {
  public:
    ThreadRank(PostOffice& office, int rank, int size) : office_(office), rank_(rank), size_(size) {}
    int rank() const override { return rank_; }
    int size() const override { return size_; }
    void exchange(int partner, std::span<const float> outgoing, std::span<float> incoming) override {
        swap_values(partner, outgoing, incoming);
    }
    void exchange(int partner, std::span<const double> outgoing, std::span<double> incoming) override {
        swap_values(partner, outgoing, incoming);
    }

  private:
    template <class T>
    void swap_values(int partner, std::span<const T> outgoing, std::span<T> incoming) {
        office_.send(rank_, partner, {outgoing.begin(), outgoing.end()});  // a float fits a double exactly
        const std::vector<double> message = office_.receive(partner, rank_);
        for (std::size_t i = 0; i < incoming.size(); ++i)
            incoming[i] = static_cast<T>(message.at(i));
    }

    PostOffice& office_;
    int rank_, size_;
};

/// Runs `body` on `size` ranks at once and returns what each gave.
template <class Value>
std::vector<Value> on_ranks(int size, const std::function<Value(train::Communicator&)>& body) {
    PostOffice office;
    std::vector<Value> values(static_cast<std::size_t>(size));
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < size; ++rank)
        threads.emplace_back([&, rank] {
            ThreadRank communicator(office, rank, size);
            values[static_cast<std::size_t>(rank)] = body(communicator);
        });
    threads.clear();  // joins
    return values;
}

}  // namespace isogrid::tests
