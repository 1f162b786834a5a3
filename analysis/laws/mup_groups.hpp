// Sweeps of the learning rate by parametrization, and how the best one moves with the width in each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/fit/log_line.hpp"
#include "analysis/fit/refusal.hpp"
#include "analysis/laws/sweep.hpp"

namespace isogrid::analysis {

/// What the slope of log best learning rate against log width says.
struct TransferVerdict {
    std::string word;  ///< transfers, nearly transfers, does not transfer, undecided
    std::string text;
};

/// The sweeps of one parametrization.
struct MupGroup {
    std::string name;
    std::vector<std::size_t> usable, refused;  ///< of the sweeps
    LogLine line;
    Estimate slope;
    TransferVerdict verdict;
};

/// By their names.
std::vector<MupGroup> mup_groups(const std::vector<Sweep>& sweeps);

/// How many widths have a best learning rate.
std::size_t widths_of(const MupGroup& group, const std::vector<Sweep>& sweeps);

/// A warning where the widths of a group were not trained on the same amounts of data (to 2%), or not with
/// the same batches: the slope would be that of the data or the batch as well.
std::optional<Reason> differs_beside_width(const MupGroup& group, const std::vector<Sweep>& sweeps);

/// Sets line, slope and verdict. `redrawn`: the bowls of all sweeps, by replicate.
void fit_slope(MupGroup& group, const std::vector<Sweep>& sweeps, const SweepNoise& noise,
               const std::vector<std::vector<Bowl>>& redrawn, const FitOptions& options);

/// `mup` and `mup, 4 layers` as JSON keys.
std::string json_key(const std::string& name);

}  // namespace isogrid::analysis
