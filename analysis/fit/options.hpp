// How every law is fitted, whatever its form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "analysis/fit/objective.hpp"
#include "study/fault.hpp"

namespace isogrid::analysis {

/// What a replicate draws again (Efron and Tibshirani 1993, sections 6.3 and 9.5).
enum class Resampling {
    cases,      ///< whole runs, with replacement
    residuals,  ///< what the law leaves unexplained, added to what it predicts
    seeds       ///< within each set of runs that differ by their seed alone
};

std::string_view name(Resampling resampling);

/// The inverse of name, or a fault that lists the names.
study::Result<Resampling> parse_resampling(std::string_view text);

struct FitOptions {
    Objective objective;           ///< of laws fitted to log losses; power laws are least squares in logs
    std::size_t bootstrap = 1000;  ///< replicates; 0 for none
    std::uint64_t seed = 1;
    Resampling resampling = Resampling::cases;
    double overhead_from = 0;  ///< of critical_batch: where linear scaling starts; 0 for the smallest batches
};

}  // namespace isogrid::analysis
