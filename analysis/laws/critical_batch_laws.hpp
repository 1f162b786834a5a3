// Power laws of the critical batch: in the size, in the examples and in the loss.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/fit/log_line.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/laws/critical_batch_cells.hpp"

namespace isogrid::analysis {

/// What a critical batch may depend on.
struct Dependence {
    const char* key;
    const char* symbol;
    const char* title;
    Quantity quantity;
    double (*of)(const BatchCell& cell);
};

/// A power law of the critical batch in one of what it may depend on.
struct BatchLaw {
    const Dependence* in = nullptr;
    LogLine line;
    LogLine overhead_line;  ///< of the batch of 20% overhead
    /// On the critical batches of sizes that it had not seen, at the cuts of its rivals too
    /// (held_out_errors).
    double held_out = std::numeric_limits<double>::quiet_NaN();
    std::vector<Cut> cuts;     ///< along what it depends on
    double low = 0, high = 0;  ///< of what it depends on, in the cells
};

/// The family with most cells: critical batches of different ones do not follow one law.
std::string family_of_laws(const std::vector<BatchCell>& cells);

/// Of the family that the laws are of. Of several targets of one size, where the law is in the size, the
/// lowest loss whose critical batch lies inside the batches tried (if none does, the lowest): the others say
/// nothing of the size.
std::vector<std::size_t> cells_for(const Dependence& in, const std::vector<BatchCell>& cells);

/// The laws in size, examples and loss, as far as the cells that have a critical batch differ in them: three
/// cells or more are needed.
std::vector<BatchLaw> fit_batch_laws(const std::vector<BatchCell>& cells, const RedrawnSteps& redrawn,
                                     const StepsNoise& noise, const FitOptions& options);

}  // namespace isogrid::analysis
