// The joint law as an optimizer sees it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "analysis/fit/joint_law.hpp"
#include "analysis/fit/minimize.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// The law in the form it is fitted: log L = log(exp(e) + exp(a - alpha n) + exp(b - beta d)), with n = log N
/// and d = log D measured from their means. Hoffmann et al. fit the same sum (section D.3) uncentred;
/// centring takes the correlation of a with alpha and of b with beta out of the optimizer's way.
struct JointModel {
    static constexpr std::size_t parameters = 5;
    enum Place : std::size_t { log_E, log_a, log_b, alpha, beta };

    std::vector<double> log_n, log_d, log_loss;
    double mean_n = 0, mean_d = 0;

    explicit JointModel(const std::vector<Run>& runs);

    double residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const;
    void residuals(std::span<const double> at, std::span<double> values, std::span<double> gradients) const;
    ResidualModel model() const;  ///< looks into *this: must not outlive it

    JointLaw law(std::span<const double> at) const;
    std::vector<double> place(const JointLaw& law) const;

    /// 4500 as in Hoffmann et al., section D.3, but in shares of the losses at hand, so that they suit runs
    /// of any scale: what the floor, the size term and the data term make of a typical loss.
    std::vector<std::vector<double>> starts() const;
};

}  // namespace isogrid::analysis
