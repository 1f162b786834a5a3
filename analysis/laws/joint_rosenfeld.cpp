// The joint law of Rosenfeld et al. 2020: it starts from what a model knows that knows nothing.
#include <algorithm>
#include <cmath>
#include <memory>

#include "analysis/laws/joint_model.hpp"
#include "analysis/laws/surface_form.hpp"

namespace isogrid::analysis {
namespace {

/// log L = log e - log(1 + w e^2) / 2 with e the joint law and w = 1 / epsilon0^2. Rosenfeld et al. write
/// L = epsilon0 |u / (u - i eta)|; u and eta may be scaled together, so that e = epsilon0 u / eta says the
/// same with one parameter less. w = 0 is the joint law; below 0 it would have no meaning.
struct RosenfeldModel {
    JointModel joint;
    static constexpr std::size_t parameters = JointModel::parameters + 1, w = JointModel::parameters;

    double residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const {
        const double plain = joint.residual(at.first(w), i, gradient.empty() ? gradient : gradient.first(w)) +
                             joint.log_loss[i];
        const double square = std::exp(2 * plain), sum = 1 + at[w] * square;
        if (!gradient.empty()) {
            for (std::size_t p = 0; p < w; ++p)
                gradient[p] /= sum;
            gradient[w] = -0.5 * square / sum;
        }
        return plain - 0.5 * std::log(sum) - joint.log_loss[i];
    }

    std::vector<std::vector<double>> starts() const {
        const double highest = std::exp(*std::max_element(joint.log_loss.begin(), joint.log_loss.end()));
        const auto plain = joint.starts();
        std::vector<std::vector<double>> grid;
        for (const double times : {1.5, 4.0})
            for (std::size_t s = 0; s < plain.size(); s += 23) {
                grid.push_back(plain[s]);
                grid.back().push_back(1 / (times * times * highest * highest));
            }
        return grid;
    }
};

ParametricLaw rosenfeld_law(const std::vector<Run>& runs) {
    const auto data = std::make_shared<const RosenfeldModel>(RosenfeldModel{JointModel(runs)});
    const double lowest =
        std::exp(*std::min_element(data->joint.log_loss.begin(), data->joint.log_loss.end()));
    const double highest =
        std::exp(*std::max_element(data->joint.log_loss.begin(), data->joint.log_loss.end()));
    return {.model = {RosenfeldModel::parameters, runs.size(),
                      [data](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                          return data->residual(at, i, gradient);
                      }},
            .parameters = {{"c", 1e-3 * lowest, 2 * lowest, /*soft=*/true},
                           {"A", 0},
                           {"B", 0},
                           {"alpha", 0.01, 3},
                           {"beta", 0.01, 3},
                           {"epsilon0", lowest, 100 * highest}},
            .report =
                [data](std::span<const double> at) {
                    const JointLaw law = data->joint.law(at.first(RosenfeldModel::w));
                    const double w = at[RosenfeldModel::w];
                    return std::vector{
                        law.E,    law.A,
                        law.B,    law.alpha,
                        law.beta, w > 0 ? 1 / std::sqrt(w) : std::numeric_limits<double>::infinity()};
                },
            .starts = data->starts(),
            .minimized_starts = std::numeric_limits<std::size_t>::max(),
            .rivals = {{3, 4}}};
}

JointLaw rosenfeld_core(std::span<const double> v) {
    return {v[0], v[1], v[2], v[3], v[4]};
}

double rosenfeld_loss(std::span<const double> v, double N, double D) {
    const double plain = rosenfeld_core(v).loss(N, D);
    return plain / std::hypot(1, plain / v[5]);
}

}  // namespace

const SurfaceForm rosenfeld_form{"joint_rosenfeld", "Rosenfeld et al.'s law", rosenfeld_law, rosenfeld_loss,
                                 rosenfeld_core};

LawFit fit_joint_rosenfeld(const Runs& runs, const FitOptions& options) {
    LawFit fit = fit_surface(rosenfeld_form, runs, options).fit;
    if (fit.refused && fit.refused->kind == Refusal::on_bound && fit.refused->text.starts_with("epsilon0"))
        fit.notes.push_back(
            "without an epsilon0 it is the joint law: these runs start far below what a model knows "
            "that knows nothing");
    return fit;
}

}  // namespace isogrid::analysis
