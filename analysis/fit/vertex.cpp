#include "analysis/fit/vertex.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <Eigen/Dense>

namespace isogrid::analysis {

bool place_on_vertex(const ResidualModel& model, std::span<const double> weights, std::vector<double>& at,
                     double& value) {
    const std::size_t count = model.parameters;
    std::vector<std::pair<double, std::size_t>> sizes;
    for (std::size_t i = 0; i < model.observations; ++i)
        if (weights.empty() || weights[i] > 0) sizes.emplace_back(std::abs(model.residual(at, i, {})), i);
    if (sizes.size() < count) return false;
    std::sort(sizes.begin(), sizes.end());

    std::vector<double> place = at, row(count);
    Eigen::MatrixXd jacobian(count, count);
    Eigen::VectorXd residual(count);
    for (int iteration = 0; iteration < 20; ++iteration) {
        for (std::size_t k = 0; k < count; ++k) {
            residual[static_cast<Eigen::Index>(k)] = model.residual(place, sizes[k].second, row);
            jacobian.row(static_cast<Eigen::Index>(k)) =
                Eigen::Map<Eigen::RowVectorXd>(row.data(), static_cast<Eigen::Index>(count));
        }
        const Eigen::VectorXd step = jacobian.fullPivLu().solve(residual);
        if (!step.allFinite()) return false;
        for (std::size_t p = 0; p < count; ++p)
            place[p] -= step[static_cast<Eigen::Index>(p)];
        if (residual.cwiseAbs().maxCoeff() < 1e-15) break;
    }
    const double lower = objective_value(model, {ObjectiveKind::l1, 0}, weights, place);
    if (!(lower < value)) return false;
    at = std::move(place), value = lower;
    return true;
}

}  // namespace isogrid::analysis
