// The same law fitted again to resampled runs: where the spread of its parameters comes from.
#pragma once

#include <vector>

#include "analysis/fit/parametric.hpp"

namespace isogrid::analysis {

/// How often a run was repeated beside its first seed: the degrees of freedom that tell how far seeds move a
/// loss.
std::size_t repeats_beyond_first(const ParametricLaw& law);

/// Whether seeds can be drawn again: with fewer repeats than three nobody knows how far they move a loss.
bool can_draw_seeds(const ParametricLaw& law);

/// The reported parameters of `options.bootstrap` refits, each from the few best distinct `minima`; those
/// with a parameter on a bound that is not soft, which would be refused, are left out.
std::vector<std::vector<double>> refit_resampled(const ParametricLaw& law, const FitOptions& options,
                                                 const std::vector<Minimum>& minima);

/// How much wider than its percentiles an interval of these replicates must be, by what was drawn again.
double widening_of(const ParametricLaw& law, const FitOptions& options);

}  // namespace isogrid::analysis
