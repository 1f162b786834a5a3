#include "cluster/messages/group.hpp"

#include <cassert>

namespace isogrid::cluster {

Verdict agreed(std::span<const Verdict> verdicts) {
    assert(!verdicts.empty());
    const Verdict* first_follower = nullptr;
    for (const Verdict& verdict : verdicts) {
        if (archive::is_finished(verdict.outcome)) continue;
        if (!verdict.followed) return verdict;
        if (first_follower == nullptr) first_follower = &verdict;
    }
    return first_follower != nullptr ? *first_follower : verdicts.front();
}

void GroupOfOne::exchange(int, std::span<const float>, std::span<float>) {
    throw std::logic_error("a group of one exchanged (there is no partner) this is a fault of isogrid");
}

void GroupOfOne::exchange(int, std::span<const double>, std::span<double>) {
    throw std::logic_error("a group of one exchanged (there is no partner) this is a fault of isogrid");
}

}  // namespace isogrid::cluster
