// The joint law of Kaplan et al. 2020: no floor, and one bottleneck after the other.
#include <cmath>
#include <memory>

#include "analysis/laws/surface_comparison.hpp"

namespace isogrid::analysis {
namespace {

/// log L = aD log(exp(a - x n) + exp(b - d)) with x = aN / aD, n = log N and d = log D from their means.
struct KaplanModel {
    enum Place : std::size_t { log_a, log_b, ratio, alpha_D };

    std::vector<double> log_n, log_d, log_loss;
    double mean_n = 0, mean_d = 0, mean_loss = 0;

    explicit KaplanModel(const std::vector<Run>& runs) {
        for (const Run& run : runs) {
            log_n.push_back(std::log(run.parameters));
            log_d.push_back(std::log(run.tokens));
            log_loss.push_back(std::log(run.loss));
            mean_n += log_n.back() / static_cast<double>(runs.size());
            mean_d += log_d.back() / static_cast<double>(runs.size());
            mean_loss += log_loss.back() / static_cast<double>(runs.size());
        }
        for (std::size_t i = 0; i < runs.size(); ++i)
            log_n[i] -= mean_n, log_d[i] -= mean_d;
    }

    double residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const {
        const double size = at[log_a] - at[ratio] * log_n[i], data = at[log_b] - log_d[i];
        const double top = std::max(size, data);
        const double n = std::exp(size - top), d = std::exp(data - top), sum = n + d;
        const double logarithm = top + std::log(sum);
        if (!gradient.empty()) {
            gradient[log_a] = at[alpha_D] * n / sum;
            gradient[log_b] = at[alpha_D] * d / sum;
            gradient[ratio] = -log_n[i] * gradient[log_a];
            gradient[alpha_D] = logarithm;
        }
        return at[alpha_D] * logarithm - log_loss[i];
    }

    std::vector<std::vector<double>> starts() const {
        std::vector<std::vector<double>> grid;
        for (const double aD : {0.03, 0.06, 0.1, 0.2, 0.4, 0.8})
            for (const double x : {0.2, 0.4, 0.7, 1.0, 1.5, 2.5})
                for (const double share : {0.05, 0.2, 0.4, 0.6, 0.8, 0.95})
                    grid.push_back(
                        {mean_loss / aD + std::log(share), mean_loss / aD + std::log(1 - share), x, aD});
        return grid;
    }
};

ParametricLaw kaplan_law(const std::vector<Run>& runs) {
    const auto data = std::make_shared<const KaplanModel>(runs);
    return {.model = {4, runs.size(),
                      [data](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                          return data->residual(at, i, gradient);
                      }},
            .parameters = {{"N_c", 0}, {"alpha_N", 0.005, 3}, {"D_c", 0}, {"alpha_D", 0.005, 3}},
            .report =
                [data](std::span<const double> at) {
                    return std::vector{
                        std::exp(at[KaplanModel::log_a] / at[KaplanModel::ratio] + data->mean_n),
                        at[KaplanModel::ratio] * at[KaplanModel::alpha_D],
                        std::exp(at[KaplanModel::log_b] + data->mean_d), at[KaplanModel::alpha_D]};
                },
            .starts = data->starts(),
            .minimized_starts = std::numeric_limits<std::size_t>::max(),
            .rivals = {{1, 3}}};
}

double kaplan_loss(std::span<const double> v, double N, double D) {
    return std::pow(std::pow(v[0] / N, v[1] / v[3]) + v[2] / D, v[3]);
}

JointLaw kaplan_core(std::span<const double> v) {
    const double ratio = v[1] / v[3];
    return {0, std::pow(v[0], ratio), v[2], ratio, 1};
}

}  // namespace

const SurfaceForm kaplan_form{"joint_kaplan", "Kaplan et al.'s law", kaplan_law, kaplan_loss, kaplan_core};

LawFit fit_joint_kaplan(const Runs& runs, const FitOptions& options) {
    SurfaceFit surface = fit_surface(kaplan_form, runs, options);
    LawFit& fit = surface.fit;
    if (fit.refused) return std::move(fit);
    FormComparison comparison = compare_forms(surface.runs, options);
    fit.tables.push_back(std::move(comparison.table));
    if (!comparison.winner.empty())
        fit.notes.push_back("of the forms of L(N, D), " + comparison.winner +
                            " predicts held-out runs best; AIC says which describes all runs best");
    fit.notes.push_back("it has no floor: beyond the runs its loss is a lower limit");
    return std::move(fit);
}

}  // namespace isogrid::analysis
