#include "analysis/fit/objective.hpp"

#include <charconv>
#include <cmath>
#include <sstream>

namespace isogrid::analysis {

double Objective::penalty(double residual) const {
    const double size = std::abs(residual);
    switch (kind) {
        case ObjectiveKind::huber:
            return size <= delta ? 0.5 * size * size : delta * (size - 0.5 * delta);
        case ObjectiveKind::l1:
            return size;
        case ObjectiveKind::l2:
            return size * size;
    }
    return size;
}

double Objective::slope(double residual) const {
    switch (kind) {
        case ObjectiveKind::huber:
            return std::abs(residual) <= delta ? residual : std::copysign(delta, residual);
        case ObjectiveKind::l1:
            return residual == 0 ? 0 : std::copysign(1.0, residual);
        case ObjectiveKind::l2:
            return 2 * residual;
    }
    return residual;
}

std::string to_string(const Objective& objective) {
    if (objective.kind == ObjectiveKind::l1) return "l1";
    if (objective.kind == ObjectiveKind::l2) return "l2";
    std::ostringstream text;
    text << "huber:" << objective.delta;
    return text.str();
}

study::Result<Objective> parse_objective(std::string_view text) {
    if (text == "l1") return Objective{ObjectiveKind::l1, 0};
    if (text == "l2") return Objective{ObjectiveKind::l2, 0};
    if (text == "huber") return Objective{};
    if (text.starts_with("huber:")) {
        Objective objective;
        const auto [end, error] =
            std::from_chars(text.data() + 6, text.data() + text.size(), objective.delta);
        if (error == std::errc{} && end == text.data() + text.size() && objective.delta > 0 &&
            std::isfinite(objective.delta))
            return objective;
    }
    return study::fail("--objective", "\"" + std::string(text) + "\" is no objective",
                       "it is huber:DELTA with DELTA above 0, l1 or l2", "write for example huber:1e-3");
}

}  // namespace isogrid::analysis
