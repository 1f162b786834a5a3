// Where a step's time goes on a card, op by op, beside what each takes at least.
#pragma once

#include <string>
#include <string_view>

#include "kernels/backend.hpp"
#include "train/bench/roofline.hpp"
#include "train/bench/shapes.hpp"
#include "train/bench/step.hpp"

namespace isogrid::bench {

/// Of a step: the median of some turns of up to ten, each of which waits for the card once, for so many
/// `seconds` and three turns at least.
double seconds_a_step(Training& training, double seconds);

struct Profile {
    Roofline roofline;
    Seconds measured;           ///< by the roofline's names of ops, a step's mean
    double seconds_a_step = 0;  ///< of whole steps, each one launch
};

/// Ops are timed by the card, in steps that are launched kernel by kernel behind others that still keep it
/// busy: so what the program takes to ask for them does not count. Throws as roofline_of does.
Profile profile_of(const BenchShape& shape, std::string_view precision, const Card& card,
                   kernels::Backend& backend, double seconds);

/// A table, what costs most above its least first.
std::string to_text(const Profile& profile);

}  // namespace isogrid::bench
