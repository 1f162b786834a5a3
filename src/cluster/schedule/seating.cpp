#include "cluster/schedule/seating.hpp"

#include <algorithm>
#include <iterator>

namespace isogrid::cluster {

Seating::Seating(const Cards& cards)
    : seats_(cards.seats), bytes_(cards.bytes), packing_(cards.seats.each, cards.measure) {}

void Seating::idle(int worker, double now) {
    Card& card = cards_[seats_.rank_of(worker)];
    if (card.busy.erase(worker) > 0) card.changed_at = now;
    card.idle.insert(worker);
    idle_.insert(worker);
}

void Seating::gone(int worker, double now) {
    const auto found = cards_.find(seats_.rank_of(worker));
    if (found == cards_.end()) return;
    Card& card = found->second;
    card.idle.erase(worker);
    if (card.busy.erase(worker) > 0) card.changed_at = now;
    idle_.erase(worker);
    if (card.idle.empty() && card.busy.empty()) cards_.erase(found);
}

void Seating::take(const std::vector<int>& workers, const Task& task, double now) {
    for (const int worker : workers) {
        Card& card = cards_[seats_.rank_of(worker)];
        card.idle.erase(worker);
        idle_.erase(worker);
        card.busy[worker] = {task.trial, task.bytes, task.size,
                             has_alone(task, static_cast<int>(workers.size()))};
        card.changed_at = now;
    }
}

int Seating::free_cards() const {
    return static_cast<int>(std::count_if(cards_.begin(), cards_.end(), [](const auto& card) {
        return card.second.busy.empty() && !card.second.idle.empty();
    }));
}

int Seating::cards_there() const {
    return static_cast<int>(cards_.size());
}

std::vector<int> Seating::seats_for(const Task& task, int group) const {
    const auto wanted = static_cast<std::size_t>(group);
    if (idle_.size() < wanted) return {};
    if (seats_.each == 1) return {idle_.begin(), std::next(idle_.begin(), group)};
    if (has_alone(task, group)) {
        std::vector<int> workers;
        for (const auto& [rank, card] : cards_) {
            if (workers.size() == wanted) break;
            if (card.busy.empty()) workers.push_back(*card.idle.begin());
        }
        if (workers.size() < wanted) return {};
        std::sort(workers.begin(), workers.end());
        return workers;
    }
    // Asked at every note of a sweep of thousands of trials, so what takes longer to see is looked at last.
    const int worth = packing_.worth(task.size);
    const Card* emptiest = nullptr;
    for (const auto& [rank, card] : cards_)
        if ((emptiest == nullptr || card.busy.size() < emptiest->busy.size()) && has_room(card, task, worth))
            emptiest = &card;
    return emptiest == nullptr ? std::vector<int>() : std::vector<int>{*emptiest->idle.begin()};
}

/// Alone a trial always has room: whether it fits at all, only trying shows.
bool Seating::has_room(const Card& card, const Task& task, int worth) const {
    if (card.idle.empty()) return false;
    if (card.busy.empty()) return true;
    if (static_cast<int>(card.busy.size()) >= worth) return false;
    std::int64_t bytes = task.bytes;
    for (const auto& [worker, busy] : card.busy) {
        if (busy.whole_card) return false;
        bytes += busy.bytes;
        worth = std::min(worth, packing_.worth(busy.size));
    }
    return static_cast<int>(card.busy.size()) < worth && (bytes_ == 0 || bytes <= bytes_);
}

int Seating::together(int worker) const {
    if (seats_.each == 1) return 1;
    const auto found = cards_.find(seats_.rank_of(worker));
    return found == cards_.end() ? 1 : std::max(1, static_cast<int>(found->second.busy.size()));
}

double Seating::changed_at(int worker) const {
    const auto found = cards_.find(seats_.rank_of(worker));
    return found == cards_.end() ? 0 : found->second.changed_at;
}

std::vector<int> Seating::trials_beside(int worker) const {
    const auto found = cards_.find(seats_.rank_of(worker));
    return found == cards_.end() ? std::vector<int>() : trials_of(found->second);
}

std::vector<std::vector<int>> Seating::trials_by_card() const {
    std::vector<std::vector<int>> trials;
    for (const auto& [rank, card] : cards_)
        trials.push_back(trials_of(card));
    return trials;
}

std::vector<int> Seating::trials_of(const Card& card) {
    std::vector<int> trials;
    for (const auto& [worker, busy] : card.busy)
        trials.push_back(busy.trial);
    return trials;
}

void Seating::measured(int worker, double size, double flops, double seconds) {
    packing_.measured(size, together(worker), flops, seconds);
}

}  // namespace isogrid::cluster
