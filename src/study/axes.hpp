// What studies that sweep axes have in common: defaults, names, and requests that no trial can meet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/wording.hpp"
#include "study/job.hpp"
#include "study/job_faults.hpp"

namespace isogrid::study {

/// `given`, or where it is empty what the rest of the job says.
template <class Value>
std::vector<Value> or_else(const std::vector<Value>& given, std::vector<Value> otherwise) {
    return given.empty() ? std::move(otherwise) : given;
}

/// `-r0.01`, where the axis has more than one value.
template <class Value>
std::string part(const char* letter, const std::vector<Value>& axis, Value value) {
    if (axis.size() < 2) return "";
    return std::string("-") + letter + base::as_written(static_cast<double>(value));
}

/// `-s2`, where there are several.
std::string seed_part(std::int64_t seeds, std::int64_t i);

/// `-w64-d2`
std::string shape_part(const Shape& shape);

/// Widths that cannot be cut into heads.
bool check_widths(const std::string& key, const std::vector<std::int64_t>& widths, const Ladder& ladder,
                  JobFaults& faults);

/// Fewer values than a law needs.
bool check_count(const std::string& key, std::size_t count, std::size_t fewest, const std::string& why,
                 JobFaults& faults);

/// Steps that a trial has at least: 20, or as few as a scaled job can ask for.
double least_steps(const Job& job);

/// `20 steps`
std::string least_steps_text(const Job& job);

/// Fewer than least_steps of `batch`.
bool check_steps(const std::string& key, double tokens, std::int64_t batch, const Job& job,
                 JobFaults& faults);

/// Changes of the batch, which is `first` before them: by rising tokens, a step apart at least, each another
/// batch than the one before.
bool check_changes(const std::string& key, std::int64_t first, const std::vector<BatchChange>& changes,
                   std::int64_t context, JobFaults& faults);

}  // namespace isogrid::study
