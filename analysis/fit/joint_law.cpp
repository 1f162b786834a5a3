#include "analysis/fit/joint_law.hpp"

#include <cmath>

namespace isogrid::analysis {

double JointLaw::loss(double N, double D) const {
    return E + A * std::pow(N, -alpha) + B * std::pow(D, -beta);
}

JointLaw::Optimum JointLaw::optimum(double flops, double flops_per_parameter_token) const {
    const double product = flops / flops_per_parameter_token;
    // In logs: A and B are astronomical when a fit goes astray, and must not overflow.
    const double log_G = (std::log(alpha) + std::log(A) - std::log(beta) - std::log(B)) / (alpha + beta);
    Optimum best;
    best.parameters = std::exp(log_G + beta / (alpha + beta) * std::log(product));
    best.tokens = product / best.parameters;
    best.loss = loss(best.parameters, best.tokens);
    return best;
}

}  // namespace isogrid::analysis
