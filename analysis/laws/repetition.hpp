// The data-constrained law as a function, for who wants its value rather than its fit.
#pragma once

#include "analysis/fit/joint_law.hpp"

namespace isogrid::analysis {

/// L = E + A / N'^alpha + B / D'^beta of U_D different tokens (Muennighoff et al. 2023, equations 5 and 6).
struct RepetitionLaw {
    JointLaw base;
    double data_decay = 0;       ///< R_D*: repetitions after which one more is worth 1/e of fresh data
    double parameter_decay = 0;  ///< R_N*: the same of parameters beyond the optimum for the data

    /// The size that is compute-optimal for so many different tokens: alpha A / U_N^alpha = beta B /
    /// U_D^beta.
    double optimal_size(double unique_tokens) const;
    double effective_tokens(double tokens, double unique_tokens) const;
    double effective_parameters(double parameters, double unique_tokens) const;
    double loss(double parameters, double tokens, double unique_tokens) const;
};

}  // namespace isogrid::analysis
