// Sweeps of a learning rate or a batch: runs alike but for these, each sweep with its optimum. What the laws
// hyperparameters and mup share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/bowl.hpp"
#include "analysis/fit/log_line.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// Runs of one size and one amount of data that differ in learning rate, in batch, or in both.
struct Sweep {
    double parameters = 0, tokens = 0, width = 0;
    double batch = 0;             ///< where it was not swept; NaN where not known
    std::string parametrization;  ///< and family
    bool learning_rate_swept = false, batch_swept = false;
    std::vector<std::vector<double>> places;  ///< logarithms of the knobs swept: learning rate, then batch
    std::vector<double> log_loss;
    Bowl bowl;

    std::size_t learning_rate_knob() const { return 0; }
    std::size_t batch_knob() const { return learning_rate_swept ? 1 : 0; }
};

/// Which runs belong together.
enum class Sweeping {
    learning_rate,           ///< each batch is a sweep of its own
    learning_rate_and_batch  ///< one sweep a size and amount of data
};

/// Sweeps of two values or more, each with its bowl, by rising size, tokens, width. Tokens that differ by
/// less than 2% (whole batches) count as equal. Of runs that share learning rate and batch the mean loss
/// counts where they are repeats by seed, else (another weight decay, a longer warmup) the lowest. Where a
/// bowl over learning rate and batch is refused, the sweep of the learning rate at the best batch is kept in
/// its place.
std::vector<Sweep> gather_sweeps(const std::vector<Run>& runs, Sweeping sweeping);

/// Of each sweep the runs of the best learning rate and batch, by the losses that a sweep counts; runs that
/// are in no sweep as they are. In the order of `runs`.
std::vector<Run> best_of_sweeps(const std::vector<Run>& runs);

/// The runs that a law of L(N, D) is fitted to: best_of_sweeps, with a note where that leaves some out. All,
/// where the objective is asymmetric, which is for runs some of which were tuned badly.
Runs well_tuned(const Runs& runs, const FitOptions& options, std::vector<std::string>& notes);

/// `12M parameters, 240M tokens`.
std::string describe(const Sweep& sweep);

/// Why a sweep has no optimum.
Reason explain(const Sweep& sweep);

/// Writes into a law's answer the squares about its bowls, and why some sweeps (the first ten) have no
/// optimum.
void tell_sweeps(const std::vector<Sweep>& sweeps, LawFit& fit);

/// The deviation of log loss about the bowls, pooled, and from how many degrees of freedom it is known.
struct SweepNoise {
    double deviation = 0, freedom = 0;
};
/// Refuses, as ill_conditioned, sweeps so flat that this noise leaves an optimum known to no better than a
/// factor of two (one standard error).
SweepNoise sweep_noise(std::vector<Sweep>& sweeps);

/// For each replicate each sweep's bowl after its losses were drawn again about it.
std::vector<std::vector<Bowl>> redraw_sweeps(const std::vector<Sweep>& sweeps, const SweepNoise& noise,
                                             const FitOptions& options);

/// exp of a sweep's best value of a knob with its interval.
Estimate best_value(const Sweep& sweep, std::size_t which, std::size_t knob,
                    const std::vector<std::vector<Bowl>>& redrawn);

/// Adds a sweep to a figure of loss against a knob: curve, points, the optimum as a diamond, what was set
/// aside as crosses.
void draw_sweep(const Sweep& sweep, std::size_t knob, const std::string& label, double shade, Figure& figure);

/// Keeps what diverged from squeezing the rest to the bottom.
void cut_high_losses(const std::vector<Sweep>& sweeps, Figure& figure);

}  // namespace isogrid::analysis
