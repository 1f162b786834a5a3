// What laws of L(N, D) must know of their runs before and after a fit.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// Correlation of log N and log D.
double togetherness(const std::vector<Run>& runs);

/// Fewer than three runs more than the law has parameters, under three sizes or token counts, or sizes and
/// tokens that moved together.
std::optional<Reason> too_few_for_surface(const std::vector<Run>& runs, std::size_t parameters);

/// What two runs share that differ by their seed alone. A measured C differs by a hair from seed to seed, and
/// says nothing new of runs whose N and D are known.
inline auto recipe_of(const Run& run) {
    const bool counted = run.parameters > 0 && run.tokens > 0;
    return std::tuple(run.parameters, run.tokens, counted ? 0.0 : run.flops, run.batch.value_or(0),
                      run.learning_rate.value_or(0), run.width.value_or(0), run.unique_tokens.value_or(0),
                      run.experts.value_or(0), run.active_parameters.value_or(0), run.shares, run.family,
                      run.parametrization);
}

/// Runs that differ by their seed alone share a number.
std::vector<std::size_t> repeats_of(const std::vector<Run>& runs);
std::vector<std::size_t> repeats_of(const std::vector<const Run*>& runs);

/// Repeats as sets, in the order of their first runs. A run that names no seed is alone, and so is each of
/// those of which two have one seed: they differ in something that nobody has named.
std::vector<std::vector<const Run*>> sets_of_seeds(const std::vector<const Run*>& runs);

/// One run for each of these sets: the first, with the mean of their losses and of their C.
std::vector<Run> averaged_over_seeds(const std::vector<Run>& runs);

/// Whether a run costs what its budget says, to 2%: not so where C is counted otherwise than the budget was
/// set.
bool meets_budget(const Run& run);

/// What a run costs: its budget where it meets that, so that runs of one budget share the value, else its C.
double counted_flops(const Run& run);

/// Gives the surface of `fit` the C / (N D) of its runs, the median at the largest compute, in a note too: 6
/// under the approximation C = 6 N D, or where no run says C. A warning where runs differ in it twofold
/// there.
void tell_cost(const std::vector<Run>& runs, LawFit& fit);

/// A warning where some runs are of sparse models, whose tokens pass through a part of N, and others are not.
std::optional<Reason> mixes_dense_and_sparse(const std::vector<Run>& runs);

/// The lowest loss of all.
double lowest_loss(const std::vector<Run>& runs);

/// A warning where the law expects 3% more or less of the run of lowest loss than it came to: recommendations
/// lie beyond that run, not beyond the many that decide the fit.
std::optional<Reason> misses_the_best_run(const std::vector<Run>& runs, const LossSurface::Loss& law);

}  // namespace isogrid::analysis
