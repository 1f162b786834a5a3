// N*(C) of each family beside the others.
#pragma once

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// Adds to `fit` the table `exponents`: the law isoflop fitted to each family's runs apart, its exponents
/// with their intervals, and how far each lies from the first family's, budget by budget (what families share
/// cancels). Nothing where runs have no budgets or there is one family.
void tell_exponents(const Runs& runs, const FitOptions& options, LawFit& fit);

}  // namespace isogrid::analysis
