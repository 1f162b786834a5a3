#include "analysis/laws/surface_likelihood.hpp"

#include <algorithm>
#include <cmath>

namespace isogrid::analysis {

std::vector<double> log_residuals(const std::vector<Run>& runs, const LossSurface::Loss& law) {
    std::vector<double> residuals;
    for (const Run& run : runs)
        residuals.push_back(std::log(run.loss / law(run.parameters, run.tokens)));
    return residuals;
}

SupposedErrors errors_of(const Objective& objective, std::span<const double> log_residuals) {
    const auto inside = std::count_if(log_residuals.begin(), log_residuals.end(),
                                      [&](double r) { return std::abs(r) <= objective.delta; });
    switch (objective.kind) {
        case ObjectiveKind::l2:
            return {.normal = true};
        case ObjectiveKind::l1:
            return {.normal = false};
        case ObjectiveKind::asymmetric:
            return {.normal = false, .quantile = objective.quantile};
        case ObjectiveKind::huber:
            return {.normal = 2 * static_cast<std::size_t>(inside) > log_residuals.size()};
    }
    return {};
}

double deviance(const SupposedErrors& errors, std::span<const double> log_residuals) {
    const auto count = static_cast<double>(log_residuals.size());
    double squares = 0, sizes = 0;
    for (const double r : log_residuals) {
        squares += r * r;
        sizes += std::abs(r) * 2 * (r < 0 ? 1 - errors.quantile : errors.quantile);
    }
    return errors.normal ? count * std::log(squares / count) : 2 * count * std::log(sizes / count);
}

double akaike(const SupposedErrors& errors, std::span<const double> log_residuals, std::size_t parameters) {
    return deviance(errors, log_residuals) + 2 * static_cast<double>(parameters + 1);
}

}  // namespace isogrid::analysis
