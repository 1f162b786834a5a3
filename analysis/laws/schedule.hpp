// The multi-power law as a function, for who wants its value rather than its fit.
#pragma once

#include <vector>

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// A learning rate over steps, known at some: linear between them, but where it jumps it does so at the later
/// one. Before the first it rises linearly from zero.
struct Schedule {
    std::vector<double> step, learning_rate;

    /// Of a run's rates where it has them, to its curve's end; else of its curve's points.
    static Schedule of(const Run& run);
    double peak() const;
    /// The place of the warm-up's last point: rates rise up to it.
    std::size_t warmed_up() const;
    /// Whether the rate changes after the warm-up by more than a quarter, and a twentieth of the peak, to
    /// that of point `i` from that of the point before.
    bool changes_much(std::size_t i) const;
    /// Whether it does so alone: it changes far less over the intervals beside.
    bool jumps_to(std::size_t i) const;

    /// Peak after `warmup` steps, then held to the end, or brought down to `last` of the peak: by a cosine,
    /// or linearly from step `from` on.
    static Schedule constant(double peak, double warmup, double steps);
    static Schedule cosine(double peak, double warmup, double steps, double last);
    static Schedule linear_decay(double peak, double warmup, double steps, double from, double last);
};

/// L(t) = L0 + A S1(t)^-alpha - B sum_k (eta_{k-1} - eta_k) G(C eta_k^-gamma S_k(t)), G(x) = 1 - (1 +
/// x)^-beta, S1 the sum of learning rates so far, S_k that since step k (Luo et al. 2025, equations 1 and 2).
struct ScheduleLaw {
    double L0 = 0, A = 0, alpha = 0, B = 0, C = 0, beta = 0, gamma = 0;

    /// Loss at each of the schedule's points.
    std::vector<double> losses(const Schedule& schedule) const;
    /// Loss at its last point.
    double final_loss(const Schedule& schedule) const;
};

}  // namespace isogrid::analysis
