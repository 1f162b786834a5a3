// Which runs of an archive with several studies each law is about, and what laws say of runs held out.
#pragma once

#include <vector>

#include "analysis/laws/families.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// The runs that `law` is about: those of the first of its studies that has any, and those of no study (a
/// CSV's, an older archive's). Rejected runs, conventions and notes are passed on. A study's runs are of no
/// family, unless the law compares families: one that two studies share has its family from the other.
Runs runs_of_studies(const Law& law, const Runs& runs);

/// Trained on more tokens than there were different ones, by 1% or more.
bool repeats_data(const Run& run);

/// Of runs that `law` is about those of one family, where it knows none.
LargestFamily family_for(const Law& law, const Runs& about);

/// The runs that `law` is fitted to: of those that it is about, the ones of one family where it knows none,
/// and without repeated data where it takes every token for a new one.
Runs runs_for(const Law& law, const Runs& runs);

/// Adds to each law of loss over size and data the table `held_out`: what it says of the runs of
/// [validation], none of which it was fitted to, beside what they came to. An interval is that of a run: of
/// the law's replicates, each with the residual of a run drawn for it from those that the law is fitted to:
/// of sweeps the best.
void predict_validation(const Runs& runs, const FitOptions& options, std::vector<LawFit>& fits);

}  // namespace isogrid::analysis
