// The rows of the tables that hold trial records, column by column (docs/archive.md explains each).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "archive/record.hpp"
#include "archive/table.hpp"

namespace isogrid::archive {

/// A run of rows in /curves or of numbers in /weights that belongs to one trial.
struct Part {
    std::int64_t offset = 0, length = 0;
};

/// One row of /trials. Most of it follows from the specification and stands there for readers without our
/// code.
struct TrialRow {
    std::int64_t index = 0;
    study::PlannedTrial planned;  ///< of its trial: shape, batch, leaves, steps and learning rate only
    std::int64_t tied_head = 0, tokens = 0;
    std::string studies;  ///< separated by commas
    std::string outcome;
    TrialResult result;  ///< without curve and weights
    Part curve, weights;
    std::string id, digest;
};

/// A record with its derived values that are expensive to compute.
struct PreparedRecord {
    const TrialRecord* record = nullptr;
    std::string specification;  ///< the canonical text of its trial
    std::string id, digest;
};

/// `specification` is the canonical text of the record's trial.
PreparedRecord prepare(const TrialRecord& record, std::string specification);
PreparedRecord prepare(const TrialRecord& record);

/// The row that belongs to a record; its two parts are the caller's to set.
TrialRow row_of(const PreparedRecord& prepared);

/// Studies as one text, separated by commas, and the way back.
std::string joined(const std::vector<std::string>& studies);
std::vector<std::string> split(const std::string& studies);

// The columns of /trials, /curves and /provenance/trials, bound to one row in memory.
Row columns_of(TrialRow& row);
Row columns_of(CurvePoint& point);
Row columns_of(TrialProvenance& provenance);

}  // namespace isogrid::archive
