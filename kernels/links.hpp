// Cards of several ranks that send to each other by themselves, without the program's memory in between.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>

namespace isogrid::kernels {

/// How the ranks' sums are added up. `tree`: in the canonical tree, the same bits for 1, 2, 4, ... ranks.
/// `all_reduce`: in the order that the library finds fastest, which may depend on their number and places.
enum class RankSum { tree, all_reduce };

/// Bytes that the first rank of a group makes and the others take, to find each other by.
using LinkKey = std::array<std::byte, 128>;

/// What a rank says of its card before the group's cards are linked.
struct LinkOffer {
    std::string problem;               ///< why it cannot be linked; empty where it can
    std::array<std::byte, 16> card{};  ///< its identity: two ranks of one card cannot be linked
    LinkKey key{};                     ///< made by the first rank only
};

/// A rank's place in a group of cards.
struct LinkPlace {
    LinkKey key{};  ///< of the group's first rank
    int rank = 0, size = 1;
    RankSum sum = RankSum::tree;
    /// Whether a member has ended its part, or is not waited for any more; looked at in waits for the card.
    std::function<bool()> somebody_left = {};
    /// How long a wait goes on after that: who left in good order has done its part of what is waited for.
    std::chrono::milliseconds patience{10'000};
};

/// Thrown out of a wait for cards one of which does not take part any more.
class LinkBroken : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// One rank's links to the cards of its group. The group has 2^k ranks, all of which call the same functions
/// in the same order; ops go in a queue beside the backend's, and can be recorded with it. Destroying it ends
/// the links: every rank must.
class Links {
  public:
    virtual ~Links() = default;

    /// into = the sum over ranks of `values`, as soon as all that the backend was asked for so far is done.
    /// `into` may be `values`; `room` is of the same length and neither. All are in the backend's memory.
    virtual void sum(std::span<const float> values, std::span<float> into, std::span<float> room) = 0;
    virtual void sum(std::span<const double> values, std::span<double> into, std::span<double> room) = 0;
    /// What the backend is asked for from now on comes after all sums so far.
    virtual void join() = 0;
};

}  // namespace isogrid::kernels
