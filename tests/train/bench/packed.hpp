// What a card does with several models in training at once, each with a queue of its own.
#pragma once

#include <string_view>

#include "train/bench/shapes.hpp"

namespace isogrid::bench {

/// Tokens/s of `together` models of this shape, all of them added up, over about `seconds`: each trains on a
/// thread and a backend of its own, as the seats of a card do. Throws where there is no card.
double tokens_per_second_together(const BenchShape& shape, std::string_view precision, int together,
                                  double seconds);

}  // namespace isogrid::bench
