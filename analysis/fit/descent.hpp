// The fast way down: thousands of starts and replicates a second. What it finds is polished and certified by
// the slow way (minimize.hpp).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "analysis/fit/minimize.hpp"

namespace isogrid::analysis {

/// Damped, reweighted Gauss-Newton (Levenberg 1944, Marquardt 1963; damping as in Nielsen 1999, report
/// IMM-REP-1999-05). The curvature of a residual whose penalty has ceased to be quadratic is a share of that
/// of iteratively reweighted least squares (Holland and Welsch 1977): the whole share is a sure descent, none
/// is Newton's method (Madsen and Nielsen 1990, for Huber's penalty); the share follows how well the last
/// step was foreseen. l1 is reached through Huber penalties of shrinking delta and then placed on a vertex.
///
/// Holds buffers: one for each thread. The model, and the memory behind `weights`, must outlive it.
class Descent {
  public:
    Descent(const ResidualModel& model, const Objective& objective, std::span<const double> weights);
    ~Descent();
    Descent(Descent&&) noexcept;
    Descent& operator=(Descent&&) noexcept;

    /// The local minimum below `start`.
    Minimum operator()(std::span<const double> start);

    /// By how much a step of at most a hundredth from `at` promises to lower the objective: nothing at a
    /// minimum. Not for l1.
    double promise(std::span<const double> at);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace isogrid::analysis
