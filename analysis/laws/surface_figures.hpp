// Pictures of a law over size and data: its curves at equal compute, and what it leaves unexplained.
#pragma once

#include <string>
#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/laws/surface_form.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// Loss over size at equal compute: the runs, and the law in its 95% band. At most 8 budgets.
Figure surface_figure(const SurfaceForm& form, const Runs& runs, const LossSurface& surface, double widening);

/// Each run's loss above the law along one of its counts. `log_residuals`: of `runs.used`, in that order;
/// `key` ends the figure's name.
Figure residual_figure(const SurfaceForm& form, const Runs& runs, const std::vector<double>& log_residuals,
                       const std::string& key, const Axis& axis, double Run::*count);

}  // namespace isogrid::analysis
