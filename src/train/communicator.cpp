#include "train/communicator.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <vector>

namespace isogrid::train {
namespace {

[[noreturn]] void nobody() {
    throw std::logic_error(
        "a group of one exchanged something (it has no partner) this is a fault of isogrid");
}

}  // namespace

void join(Communicator& group, std::span<double> table) {
    std::vector<double> theirs(group.size() > 1 ? table.size() : 0);
    for (int distance = 1; distance < group.size(); distance *= 2) {
        group.exchange(group.rank() ^ distance, std::span<const double>(table), std::span<double>(theirs));
        std::ranges::transform(table, theirs, table.begin(), std::plus());
    }
}

void Alone::exchange(int, std::span<const float>, std::span<float>) {
    nobody();
}
void Alone::exchange(int, std::span<const double>, std::span<double>) {
    nobody();
}

}  // namespace isogrid::train
