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

}  // namespace isogrid::cluster
