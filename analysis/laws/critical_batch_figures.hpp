// The tables and pictures of the critical batch.
#pragma once

#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/laws/critical_batch_laws.hpp"

namespace isogrid::analysis {

/// All cells, and those of them that were not refused (in order) with their replicates. `reference` is where
/// linear scaling starts.
Table cell_table(const std::vector<BatchCell>& cells, const std::vector<BatchCell>& usable,
                 const RedrawnSteps& redrawn, double reference);

/// The exponents of all laws, side by side.
Table law_table(const std::vector<BatchLaw>& laws);

/// Steps against the batch, each cell with its law.
Figure steps_figure(const std::vector<BatchCell>& cells);

/// The critical batches against what the law is in.
Figure law_figure(const BatchLaw& law, const std::vector<BatchCell>& cells, const RedrawnSteps& redrawn,
                  double reference);

}  // namespace isogrid::analysis
