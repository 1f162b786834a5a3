// What a fit minimizes: the sum over runs of a penalty on each residual of the log loss.
#pragma once

#include <string>
#include <string_view>

#include "study/fault.hpp"

namespace isogrid::analysis {

enum class ObjectiveKind { huber, l1, l2 };

struct Objective {
    ObjectiveKind kind = ObjectiveKind::huber;
    double delta =
        1e-3;  ///< huber only: residuals below it count squared (Hoffmann et al. 2022, section 3.3)

    /// huber: r^2/2 up to delta, delta (|r| - delta/2) beyond; l1: |r|; l2: r^2.
    double penalty(double residual) const;
    /// The penalty's derivative; for l1 the sign.
    double slope(double residual) const;
    bool operator==(const Objective&) const = default;
};

/// `huber:0.001`, `l1` or `l2`.
std::string to_string(const Objective& objective);

/// The inverse of to_string; `huber` alone means huber:1e-3.
study::Result<Objective> parse_objective(std::string_view text);

}  // namespace isogrid::analysis
