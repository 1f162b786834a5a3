// What a step of training does and moves on a card, op by op, counted from the graph that would run there: to
// be set beside a profile. Needs no card.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "train/bench/shapes.hpp"

namespace isogrid::bench {

/// What a card can do at most.
struct Card {
    double flops_a_second, bytes_a_second;
    double seconds_a_launch =
        1.3e-6;  ///< within a CUDA graph, from the end of a kernel to the next one's work
};

/// One kind of op, all of it in a step. Bytes are those of the inputs read once and the outputs written once
/// (graph::bytes): what stays in the cache between two ops is counted as moved, but for logits, of which a
/// chunk does (graph/chunked_head.hpp).
struct OpCost {
    std::string name;
    double count = 0, flops = 0, bytes = 0;
    double seconds = 0;  ///< at least, each op by itself: by its arithmetic or by its bytes
    double launches = 0;
    double fewest_blocks = 0;  ///< of a launch that does the op's work
    double seconds_alone = 0;  ///< at least, with its launches and where blocks do not fill the card
};

struct Roofline {
    std::string shape;
    double tokens;
    std::vector<OpCost> ops;  ///< the longest first
    OpCost all;
};

/// Of one step: forward, backward, gradient norm, AdamW with packing. Throws std::runtime_error where no
/// training is in such a `precision`.
Roofline roofline_of(const BenchShape& shape, std::string_view precision, const Card& card);

/// A table, and what several such trainings on the card at once can gain over one after the other.
std::string to_text(const Roofline& roofline);

}  // namespace isogrid::bench
