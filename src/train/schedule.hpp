// The learning rate of every step: warm-up, then one of four shapes.
#pragma once

#include <cstdint>

#include "study/trial.hpp"

namespace isogrid::train {

/// Fraction of the peak learning rate at `step` (from 1 to the trial's last), its batch_schedule's factors
/// apart. Warm-up is linear and reaches 1 at its last step; after it
///   constant             1
///   cosine               final + (1 - final) (1 + cos(pi p)) / 2   (Loshchilov and Hutter 2017, SGDR, eq. 5)
///   linear               1 - (1 - final) p
///   warmup_stable_decay  1, then down to `final` over the last decay_steps (Hu et al. 2024, MiniCPM):
///                        linear, cosine, or 1 - (1 - final) sqrt(p) (Haegele et al. 2024, arXiv 2405.18392)
/// where p goes from 0 at the end of the warm-up (at the beginning of the decay) to 1 at the last step, or at
/// horizon_steps where the schedule has them, in proportion to the tokens, and final is final_fraction.
double schedule_fraction(const study::Trial& trial, std::int64_t step);

}  // namespace isogrid::train
