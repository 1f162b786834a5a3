// What a fit minimizes, the sum over runs of a penalty on each residual of the log loss, and what fits with
// more or fewer parameters are compared by.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/fault.hpp"

namespace isogrid::analysis {

enum class ObjectiveKind { huber, l1, l2, asymmetric };

struct Objective {
    ObjectiveKind kind = ObjectiveKind::huber;
    /// huber and asymmetric: residuals below it count squared (Hoffmann et al. 2022, section 3.3).
    double delta = 1e-3;
    /// asymmetric only: the share of runs that may lie below the law. An under-tuned run lies above the law
    /// that well-tuned ones obey, and nothing makes a run much better than it.
    double quantile = 0.5;

    /// Of a prediction minus an observation. huber: r^2/2 up to delta, delta (|r| - delta/2) beyond; l1: |r|;
    /// l2: r^2; asymmetric: huber's times 2 (1 - quantile) for runs below the law and 2 quantile for those
    /// above (Koenker and Bassett 1978, smoothed as in Dabney et al. 2018, arXiv 1710.10044, equation 10).
    double penalty(double residual) const;
    /// The penalty's derivative; for l1 the sign.
    double slope(double residual) const;
    bool operator==(const Objective&) const = default;
};

/// `huber:0.001`, `l1`, `l2` or `asymmetric:0.1:0.001`.
std::string to_string(const Objective& objective);

/// The inverse of to_string; `huber` alone means huber:1e-3, `asymmetric:Q` means asymmetric:Q:1e-3.
base::Result<Objective> parse_objective(std::string_view text);

/// Akaike's criterion with the correction for few observations, of a least-squares fit with so many
/// parameters besides the variance (Burnham and Anderson 2002, section 2.4); infinite where there are too few
/// observations.
double corrected_akaike(double squares, std::size_t observations, std::size_t parameters);

}  // namespace isogrid::analysis
