#include "analysis/laws/surface_likelihood.hpp"

#include <cmath>

namespace isogrid::analysis {

std::vector<double> log_residuals(const std::vector<Run>& runs, const LossSurface::Loss& law) {
    std::vector<double> residuals;
    for (const Run& run : runs)
        residuals.push_back(std::log(run.loss / law(run.parameters, run.tokens)));
    return residuals;
}

double deviance(const Objective& objective, std::span<const double> residuals) {
    const auto count = static_cast<double>(residuals.size());
    double squares = 0, sizes = 0, tilted = 0, inside = 0;
    for (const double r : residuals) {
        squares += r * r, sizes += std::abs(r);
        tilted += std::abs(r) * 2 * (r < 0 ? 1 - objective.quantile : objective.quantile);
        inside += std::abs(r) <= objective.delta ? 1 : 0;
    }
    switch (objective.kind) {
        case ObjectiveKind::l2:
            return count * std::log(squares / count);
        case ObjectiveKind::l1:
            return 2 * count * std::log(sizes / count);
        case ObjectiveKind::asymmetric:
            return 2 * count * std::log(tilted / count);
        case ObjectiveKind::huber:
            // The constants make a normal and a Laplace likelihood comparable.
            return inside > 0.5 * count ? count * std::log(squares / count)
                                        : 2 * count * std::log(sizes / count);
    }
    return 0;
}

double akaike(const Objective& objective, std::span<const double> residuals, std::size_t parameters) {
    return deviance(objective, residuals) + 2 * static_cast<double>(parameters + 1);
}

}  // namespace isogrid::analysis
