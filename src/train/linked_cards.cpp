#include "train/linked_cards.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <span>
#include <vector>

namespace isogrid::train {
namespace {

using Card = decltype(kernels::LinkOffer::card);

/// What a rank tells the others, a byte a number: whether it can be linked, its card, its key.
constexpr std::size_t card_at = 1, key_at = card_at + std::tuple_size_v<Card>,
                      numbers = key_at + std::tuple_size_v<kernels::LinkKey>;

template <std::size_t size>
void write(const std::array<std::byte, size>& bytes, std::span<double> to) {
    std::transform(bytes.begin(), bytes.end(), to.begin(),
                   [](std::byte byte) { return double(std::to_integer<unsigned>(byte)); });
}

template <std::size_t size>
std::array<std::byte, size> read(std::span<const double> from) {
    std::array<std::byte, size> bytes{};
    std::transform(from.begin(), from.begin() + size, bytes.begin(),
                   [](double number) { return static_cast<std::byte>(static_cast<unsigned>(number)); });
    return bytes;
}

/// Every rank's numbers, by rank.
std::vector<double> told_by_all(const kernels::LinkOffer& offer, Communicator& group) {
    std::vector<double> table(numbers * static_cast<std::size_t>(group.size()), 0.0);
    const std::span mine =
        std::span(table).subspan(numbers * static_cast<std::size_t>(group.rank()), numbers);
    mine[0] = offer.problem.empty() ? 1 : 0;
    write(offer.card, mine.subspan(card_at));
    write(offer.key, mine.subspan(key_at));
    join(group, table);
    return table;
}

kernels::RankSum rank_sum(study::GradientSum sum) {
    return sum == study::GradientSum::all_reduce ? kernels::RankSum::all_reduce : kernels::RankSum::tree;
}

}  // namespace

std::unique_ptr<kernels::Links> link_cards(const study::Trial& trial, kernels::Backend& backend,
                                           Communicator& group) {
    if (group.size() == 1 || backend.on_host()) return nullptr;
    const std::vector<double> table = told_by_all(backend.link_offer(group.rank() == 0), group);
    std::set<Card> cards;
    for (std::size_t at = 0; at < table.size(); at += numbers) {
        const std::span rank = std::span(table).subspan(at, numbers);
        if (rank[0] == 0 || !cards.insert(read<std::tuple_size_v<Card>>(rank.subspan(card_at))).second)
            return nullptr;
    }
    return backend.link({.key = read<std::tuple_size_v<kernels::LinkKey>>(std::span(table).subspan(key_at)),
                         .rank = group.rank(),
                         .size = group.size(),
                         .sum = rank_sum(trial.gradient_sum),
                         .somebody_left = [&group] { return group.somebody_left(); }});
}

}  // namespace isogrid::train
