// The joint law by its numbers: what options may give, and what the law joint finds.
#pragma once

namespace isogrid::analysis {

/// L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, equation 2).
struct JointLaw {
    double E = 0, A = 0, B = 0, alpha = 0, beta = 0;

    double loss(double parameters, double tokens) const;

    struct Optimum {
        double parameters = 0, tokens = 0, loss = 0;
    };
    /// The N and D of least loss with flops_per_parameter_token N D = flops (Hoffmann et al. 2022, equation
    /// 4, where the factor is 6): N = G (C/k)^(beta/(alpha+beta)), D = (C/k) / N, G = (alpha A / (beta
    /// B))^(1/(alpha+beta)).
    Optimum optimum(double flops, double flops_per_parameter_token) const;
};

}  // namespace isogrid::analysis
