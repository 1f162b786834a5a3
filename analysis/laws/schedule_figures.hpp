// What the multi-power law says of each curve and of schedules that nobody ran, as tables and pictures.
#pragma once

#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/laws/schedule_model.hpp"

namespace isogrid::analysis {

/// What a run's last step would have come to under other schedules. `others` are the law's replicates.
Table forecast_table(const ScheduleLaw& law, const std::vector<ScheduleLaw>& others, double widening,
                     const std::vector<ScheduledCurve>& curves);

/// The curves, the first `fitted` of which were fitted, and the law.
Figure curves_figure(const ScheduleLaw& law, const std::vector<ScheduledCurve>& curves, std::size_t fitted);

/// Final losses of runs of every length.
Figure length_figure(const ScheduleLaw& law, const std::vector<ScheduleLaw>& others, double widening,
                     const std::vector<ScheduledCurve>& curves);

}  // namespace isogrid::analysis
