// A job made smaller or larger by one factor: for a first try, for tests, or for a faster machine.
#pragma once

#include <string>

#include "base/fault.hpp"
#include "study/job.hpp"

namespace isogrid::study {

/// The text of a job file with `scale = factor` in its [study] table, instead of what stood there. So the job
/// that an archive keeps is the one that was run. A fault where no line is `[study]`.
base::Result<std::string> with_scale(const std::string& text, double factor, const std::string& job_file);

/// Multiplies all budgets and token counts of the job by its scale, and the range of tokens per parameter, so
/// that the same sizes are trained, each on so much more or less; the validation set too, one sequence at
/// least.
void apply_scale(Job& job);

/// A least number of steps, lowered as far as the job is: one step at least.
double scaled_least(double steps, const Job& job);

}  // namespace isogrid::study
