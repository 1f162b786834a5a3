// How every law is fitted, whatever its form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/fit/joint_law.hpp"
#include "analysis/fit/objective.hpp"
#include "base/fault.hpp"

namespace isogrid::analysis {

/// What a replicate draws again (Efron and Tibshirani 1993, sections 6.3 and 9.5).
enum class Resampling {
    cases,      ///< whole runs, with replacement
    residuals,  ///< what the law leaves unexplained, added to what it predicts
    seeds       ///< within each set of runs that differ by their seed alone
};

std::string_view name(Resampling resampling);

/// The inverse of name, or a fault that lists the names.
base::Result<Resampling> parse_resampling(std::string_view text);

/// `E=1.87,A=521,B=1488,alpha=.353,beta=.353`, each once and above zero (E may be 0).
base::Result<JointLaw> parse_given_law(std::string_view text, std::string_view option = "--base");

/// Where the intervals of a law's parameters come from.
enum class Intervals {
    bootstrap,  ///< percentiles of refits
    profile     ///< the sum of squares' own shape (profile.hpp); objective l2 only
};

std::string_view name(Intervals intervals);

/// The inverse of name, or a fault that lists the names.
base::Result<Intervals> parse_intervals(std::string_view text);

/// How a budget's minimum over size is found.
enum class MinimumBy {
    best,     ///< on Akima's curve, unless the losses are too noisy for a curve through all of them
    akima,    ///< on Akima's curve through all sizes (as Porian et al. 2024)
    parabola  ///< of the parabola near the lowest (as Hoffmann et al. 2022)
};

std::string_view name(MinimumBy minimum);

/// The inverse of name, or a fault that lists the names.
base::Result<MinimumBy> parse_minimum(std::string_view text);

struct FitOptions {
    Objective objective;           ///< of laws fitted to log losses; power laws are least squares in logs
    bool objective_asked = false;  ///< somebody chose it: laws that have another say so
    std::size_t bootstrap = 1000;  ///< replicates; 0 for none
    std::uint64_t seed = 1;
    Resampling resampling = Resampling::cases;
    bool resampling_asked = false;  ///< somebody chose it: laws that draw something else say so
    double overhead_from = 0;  ///< of critical_batch: where linear scaling starts; 0 for the smallest batches
    std::vector<std::string> hold_out;  ///< of schedule: curves that are predicted, not fitted
    std::optional<JointLaw> base;       ///< of fresh data; absent: fitted with what is built on it
    Intervals intervals = Intervals::bootstrap;
    MinimumBy minimum = MinimumBy::best;  ///< of isoFLOP budgets
    std::optional<JointLaw> check;        ///< of joint: a published law, held against the one fitted
    bool equal_exponents = false;         ///< of joint: alpha = beta, not two exponents
};

}  // namespace isogrid::analysis
