// The cells of the critical batch: for a size and a target loss the steps that each batch took to it, the law
// of these steps, and how sure of it one can be.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/options.hpp"
#include "analysis/fit/refusal.hpp"
#include "analysis/laws/steps_law.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// Runs of one size that differ in their batch and reach one loss.
struct BatchCell {
    double parameters = 0, loss = 0;
    std::string family;
    std::vector<double> log_batch, log_steps;
    std::vector<std::size_t> noise;  ///< which draw moves each: targets on one curve are moved together
    double noise_scale = std::numeric_limits<double>::quiet_NaN();  ///< median of those measured
    bool noise_at_target = false;  ///< about the loss of the target, else over the second half of the runs
    StepsLaw law;
    std::optional<Reason> refused;

    double error(double deviation) const;  ///< standard error of log Bcrit, for this deviation of log steps
    bool inside_batches() const;           ///< whether Bcrit lies inside the batches tried
};

/// `85M parameters to loss 3.42`.
std::string describe(const BatchCell& cell);

/// Cells of runs that say how many steps they took to a target: equal parameters and equal loss. Of runs that
/// share batch and seed (other learning rates, say) the one of fewest steps counts, as each batch is to be
/// judged at its best (Zhang et al. 2024, section 3). Each cell has three batches or more, and its law.
std::vector<BatchCell> cells_of_targets(const std::vector<Run>& runs);

/// The same of runs whose curves pass several losses: those asked for, or else the lowest loss that every
/// batch reaches, and the losses that the run which needs the fewest examples for it had after a half and a
/// quarter of them. Rises of a curve are smoothed away first.
std::vector<BatchCell> cells_of_curves(const std::vector<Run>& runs, const std::vector<double>& asked_for);

/// Residuals of log steps have one deviation in all cells. Targets on the same curves see the same noise
/// again: their squares are averaged, and the degrees of freedom are those of the curves, whatever the
/// targets.
struct StepsNoise {
    double deviation = 0, freedom = 0;
};
StepsNoise pooled_noise(const std::vector<BatchCell>& cells);

/// Refuses cells whose batches all lie on one side of the critical batch.
void refuse_if_unbounded(BatchCell& cell, const StepsNoise& noise);

/// Each cell's law in every replicate, after log steps were drawn again about it.
using RedrawnSteps = std::vector<std::vector<StepsLaw>>;
RedrawnSteps redraw_steps(const std::vector<BatchCell>& cells, const StepsNoise& noise,
                          const FitOptions& options);

/// A number of a cell's law with its replicates' spread; `which` is the cell's place among those redrawn.
Estimate estimate(const BatchCell& cell, const RedrawnSteps& redrawn, std::size_t which,
                  const std::function<double(const StepsLaw&)>& of);

}  // namespace isogrid::analysis
