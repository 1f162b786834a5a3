#include "analysis/fit/objective.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

namespace isogrid::analysis {

double Objective::penalty(double residual) const {
    const double size = std::abs(residual);
    const double huber = size <= delta ? 0.5 * size * size : delta * (size - 0.5 * delta);
    switch (kind) {
        case ObjectiveKind::huber:
            return huber;
        case ObjectiveKind::l1:
            return size;
        case ObjectiveKind::l2:
            return size * size;
        case ObjectiveKind::asymmetric:
            return 2 * (residual > 0 ? 1 - quantile : quantile) * huber;
    }
    return size;
}

double Objective::slope(double residual) const {
    const double huber = std::abs(residual) <= delta ? residual : std::copysign(delta, residual);
    switch (kind) {
        case ObjectiveKind::huber:
            return huber;
        case ObjectiveKind::l1:
            return residual == 0 ? 0 : std::copysign(1.0, residual);
        case ObjectiveKind::l2:
            return 2 * residual;
        case ObjectiveKind::asymmetric:
            return 2 * (residual > 0 ? 1 - quantile : quantile) * huber;
    }
    return residual;
}

std::string to_string(const Objective& objective) {
    if (objective.kind == ObjectiveKind::l1) return "l1";
    if (objective.kind == ObjectiveKind::l2) return "l2";
    std::ostringstream text;
    if (objective.kind == ObjectiveKind::huber)
        text << "huber:" << objective.delta;
    else
        text << "asymmetric:" << objective.quantile << ":" << objective.delta;
    return text.str();
}

base::Result<Objective> parse_objective(std::string_view text) {
    if (text == "l1") return Objective{ObjectiveKind::l1, 0};
    if (text == "l2") return Objective{ObjectiveKind::l2, 0};
    if (text == "huber") return Objective{};
    const auto number = [](std::string_view digits) -> std::optional<double> {
        double value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc{} || end != digits.data() + digits.size() || !(value > 0) ||
            !std::isfinite(value))
            return std::nullopt;
        return value;
    };
    if (constexpr std::string_view prefix = "huber:"; text.starts_with(prefix))
        if (const auto delta = number(text.substr(prefix.size())))
            return Objective{ObjectiveKind::huber, *delta};
    if (constexpr std::string_view prefix = "asymmetric:"; text.starts_with(prefix)) {
        const std::string_view rest = text.substr(prefix.size());
        const std::size_t colon = rest.find(':');
        const auto quantile = number(rest.substr(0, colon));
        const auto delta = colon == rest.npos ? std::optional(1e-3) : number(rest.substr(colon + 1));
        if (quantile && *quantile < 1 && delta)
            return Objective{ObjectiveKind::asymmetric, *delta, *quantile};
    }
    return base::fail(
        "--objective", "\"" + std::string(text) + "\" is no objective",
        "it is huber:DELTA with DELTA above 0, l1, l2 or asymmetric:SHARE:DELTA with SHARE, of runs "
        "below the law, between 0 and 1",
        "write for example huber:1e-3");
}

double corrected_akaike(double squares, std::size_t observations, std::size_t parameters) {
    const auto n = static_cast<double>(observations), k = static_cast<double>(parameters + 1);
    if (n - k - 1 <= 0) return std::numeric_limits<double>::infinity();
    constexpr double rounding = 1e-16;  // a fit can be no better than its numbers
    return n * std::log(std::max(squares / n, rounding)) + 2 * k + 2 * k * (k + 1) / (n - k - 1);
}

}  // namespace isogrid::analysis
