#include "analysis/laws/joint_model.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Core>

namespace isogrid::analysis {

JointModel::JointModel(const std::vector<Run>& runs) {
    for (const Run& run : runs) {
        log_n.push_back(std::log(run.parameters));
        log_d.push_back(std::log(run.tokens));
        log_loss.push_back(std::log(run.loss));
        mean_n += log_n.back() / static_cast<double>(runs.size());
        mean_d += log_d.back() / static_cast<double>(runs.size());
    }
    for (std::size_t i = 0; i < runs.size(); ++i)
        log_n[i] -= mean_n, log_d[i] -= mean_d;
}

double JointModel::residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const {
    const double size = at[log_a] - at[alpha] * log_n[i], data = at[log_b] - at[beta] * log_d[i];
    const double top = std::max({at[log_E], size, data});
    const double e = std::exp(at[log_E] - top), n = std::exp(size - top), d = std::exp(data - top);
    const double sum = e + n + d;
    if (!gradient.empty()) {
        gradient[log_E] = e / sum;
        gradient[log_a] = n / sum;
        gradient[log_b] = d / sum;
        gradient[alpha] = -log_n[i] * n / sum;
        gradient[beta] = -log_d[i] * d / sum;
    }
    return top + std::log(sum) - log_loss[i];
}

void JointModel::residuals(std::span<const double> at, std::span<double> values,
                           std::span<double> gradients) const {
    using Eigen::ArrayXd;
    const auto count = static_cast<Eigen::Index>(log_loss.size());
    const Eigen::Map<const ArrayXd> n(log_n.data(), count), d(log_d.data(), count), l(log_loss.data(), count);
    Eigen::Map<ArrayXd> out(values.data(), count);
    Eigen::Map<Eigen::ArrayXXd> rows(gradients.data(), count, static_cast<Eigen::Index>(parameters));
    auto by_e = rows.col(log_E), by_a = rows.col(log_a), by_b = rows.col(log_b);
    // Shares of the law's three terms; of their logarithms the largest is taken off first, lest one overflow.
    by_a = at[log_a] - at[alpha] * n;
    by_b = at[log_b] - at[beta] * d;
    const double top = std::max({at[log_E], by_a.maxCoeff(), by_b.maxCoeff()});
    if (top - at[log_E] >
        600) {  // far out, where shares of another observation's largest term would underflow
        std::vector<double> row(parameters);
        for (Eigen::Index i = 0; i < count; ++i) {
            out[i] = residual(at, static_cast<std::size_t>(i), row);
            rows.row(i) = Eigen::Map<const Eigen::Array<double, 1, Eigen::Dynamic>>(row.data(), rows.cols());
        }
        return;
    }
    const double floor = std::exp(at[log_E] - top);
    by_a = (by_a - top).exp();
    by_b = (by_b - top).exp();
    out = floor + by_a + by_b;
    by_e = out.inverse();
    by_a *= by_e;
    by_b *= by_e;
    by_e *= floor;
    out = out.log() + top - l;
    rows.col(alpha) = -n * by_a;
    rows.col(beta) = -d * by_b;
}

ResidualModel JointModel::model() const {
    return {parameters, log_loss.size(),
            [this](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                return residual(at, i, gradient);
            },
            [this](std::span<const double> at, std::span<double> values, std::span<double> gradients) {
                residuals(at, values, gradients);
            }};
}

JointLaw JointModel::law(std::span<const double> at) const {
    return {std::exp(at[log_E]), std::exp(at[log_a] + at[alpha] * mean_n),
            std::exp(at[log_b] + at[beta] * mean_d), at[alpha], at[beta]};
}

std::vector<double> JointModel::place(const JointLaw& law) const {
    return {std::log(law.E), std::log(law.A) - law.alpha * mean_n, std::log(law.B) - law.beta * mean_d,
            law.alpha, law.beta};
}

std::vector<std::vector<double>> JointModel::starts() const {
    const double lowest = *std::min_element(log_loss.begin(), log_loss.end());
    std::vector<std::vector<double>> grid;
    for (const double floor : {0.05, 0.3, 0.5, 0.7, 0.9})
        for (const double size : {0.01, 0.03, 0.1, 0.2, 0.4, 0.8})
            for (const double data : {0.01, 0.03, 0.1, 0.2, 0.4, 0.8})
                for (const double a : {0.1, 0.25, 0.5, 0.8, 1.2})
                    for (const double b : {0.1, 0.25, 0.5, 0.8, 1.2})
                        grid.push_back({lowest + std::log(floor), lowest + std::log(size),
                                        lowest + std::log(data), a, b});
    return grid;
}

}  // namespace isogrid::analysis
