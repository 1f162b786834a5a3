// The data-constrained law as it is fitted: in the coordinates of an optimizer, with its slopes and its
// starts.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "analysis/fit/parametric.hpp"
#include "analysis/laws/repetition.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// The runs in logarithms, and the law in the coordinates of the optimizer: log R_D*, log R_N* and, unless
/// the base is given, log E, log A and log B at the mean size and data, log alpha, log beta.
struct RepetitionModel {
    enum Place : std::size_t { log_rd, log_rn, log_E, log_a, log_b, log_alpha, log_beta };
    struct Row {
        double log_n, log_d, log_u, log_loss;
    };
    std::vector<Row> rows;
    double mean_n = 0, mean_d = 0;
    std::optional<JointLaw> given;
    std::vector<double> held;  ///< the coordinates of the given base

    RepetitionModel(const std::vector<Run>& runs, const std::optional<JointLaw>& base) : given(base) {
        for (const Run& run : runs) {
            const double unique = std::min(run.unique_tokens.value_or(run.tokens), run.tokens);
            rows.push_back(
                {std::log(run.parameters), std::log(run.tokens), std::log(unique), std::log(run.loss)});
            mean_n += rows.back().log_n / static_cast<double>(runs.size());
            mean_d += rows.back().log_u / static_cast<double>(runs.size());
        }
        if (base)
            held = {0,
                    0,
                    std::log(base->E),
                    std::log(base->A) - base->alpha * mean_n,
                    std::log(base->B) - base->beta * mean_d,
                    std::log(base->alpha),
                    std::log(base->beta)};
    }

    std::size_t parameters() const { return given ? 2 : 7; }

    /// Beyond these limits the law hardly changes any more; from there on it does not change at all, or an
    /// optimizer would run on for ever.
    static constexpr double lowest = -16, highest = 21;
    static bool limited(double log_decay) { return log_decay <= lowest || log_decay >= highest; }
    static double decay(double log_decay) { return std::exp(std::clamp(log_decay, lowest, highest)); }

    /// Log of the law's loss over that of run `i`, and its slopes in the coordinates.
    double residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const;

    ResidualModel model() const {
        return {parameters(), rows.size(),
                [this](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                    return residual(at, i, gradient);
                }};
    }

    /// R_D*, R_N* and, unless given, E, A, B, alpha, beta.
    std::vector<double> report(std::span<const double> at) const {
        std::vector<double> values = {decay(at[log_rd]), decay(at[log_rn])};
        if (!given) {
            const double al = std::exp(at[log_alpha]), be = std::exp(at[log_beta]);
            values.insert(values.end(), {std::exp(at[log_E]), std::exp(at[log_a] + al * mean_n),
                                         std::exp(at[log_b] + be * mean_d), al, be});
        }
        return values;
    }

    RepetitionLaw law(std::span<const double> v) const {
        const JointLaw base = given ? *given : JointLaw{v[2], v[3], v[4], v[5], v[6]};
        return {base, v[0], v[1]};
    }

    double most_epochs() const {
        double most = 1;
        for (const Row& row : rows)
            most = std::max(most, std::exp(row.log_d - row.log_u));
        return most;
    }
};

/// Every pair of decays; a base is begun where the shares of its three terms are usual.
std::vector<std::vector<double>> starts(const RepetitionModel& data);

/// What fit_parametric takes; `data` must outlive it.
ParametricLaw parametric(const RepetitionModel& data);

}  // namespace isogrid::analysis
