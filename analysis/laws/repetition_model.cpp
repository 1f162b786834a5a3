#include "analysis/laws/repetition_model.hpp"

#include <array>
#include <limits>

namespace isogrid::analysis {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::array<double, 7> decays = {0.3, 1, 3, 10, 30, 100, 500};

/// log(1 + decay (1 - exp(-repetitions / decay))), what repetitions multiply fresh data by, and its
/// derivatives.
struct Worth {
    double log_factor = 0, by_log_decay = 0, by_repetitions = 0;

    Worth(double repetitions, double decay) {
        const double x = repetitions / decay, gone = -std::expm1(-x);
        const double factor = 1 + decay * gone;
        log_factor = std::log(factor);
        // The difference cancels where the decay is slow, and a slope of zero would look like no law at all.
        by_log_decay = decay * (x < 1e-3 ? x * x * (0.5 - x / 3) : gone - x * std::exp(-x)) / factor;
        by_repetitions = std::exp(-x) / factor;
    }
};

double effective(double count, double unique, double decay) {
    if (count <= unique) return count;
    return unique * std::exp(Worth(count / unique - 1, decay).log_factor);
}

}  // namespace

double RepetitionLaw::optimal_size(double unique_tokens) const {
    return std::exp(
        (std::log(base.alpha * base.A / (base.beta * base.B)) + base.beta * std::log(unique_tokens)) /
        base.alpha);
}

double RepetitionLaw::effective_tokens(double tokens, double unique_tokens) const {
    return effective(tokens, unique_tokens, std::min(data_decay, 1e20));
}

double RepetitionLaw::effective_parameters(double parameters, double unique_tokens) const {
    return effective(parameters, optimal_size(unique_tokens), std::min(parameter_decay, 1e20));
}

double RepetitionLaw::loss(double parameters, double tokens, double unique_tokens) const {
    const double unique = std::min(tokens, unique_tokens);
    return base.loss(effective_parameters(parameters, unique), effective_tokens(tokens, unique));
}

double RepetitionModel::residual(std::span<const double> at, std::size_t i,
                                 std::span<double> gradient) const {
    const Row& row = rows[i];
    const auto base = given ? std::span<const double>(held) : at;
    const double rd = decay(at[log_rd]), rn = decay(at[log_rn]);
    const double al = std::exp(base[log_alpha]), be = std::exp(base[log_beta]);

    const Worth data(std::exp(row.log_d - row.log_u) - 1, rd);
    const double log_size = base[log_a] + al * mean_n, log_data = base[log_b] + be * mean_d;
    const double log_un = (std::log(al) + log_size - std::log(be) - log_data + be * row.log_u) / al;
    const bool excess = row.log_n > log_un;
    const double repetitions = excess ? std::expm1(row.log_n - log_un) : 0;
    const Worth size(repetitions, rn);
    const double log_n = excess ? log_un + size.log_factor : row.log_n;
    const double log_d = row.log_u + data.log_factor;

    const double n_term = log_size - al * log_n, d_term = log_data - be * log_d;
    const double top = std::max({base[log_E], n_term, d_term});
    const double e = std::exp(base[log_E] - top), n = std::exp(n_term - top), d = std::exp(d_term - top);
    const double sum = e + n + d;
    if (!gradient.empty()) {
        gradient[log_rd] = limited(at[log_rd]) ? 0 : -be * data.by_log_decay * d / sum;
        gradient[log_rn] = limited(at[log_rn]) || !excess ? 0 : -al * size.by_log_decay * n / sum;
        if (!given) {
            // The optimal size moves with the base: its share in log N'.
            const double by_un = excess ? 1 - (repetitions + 1) * size.by_repetitions : 0;
            const double pull = -al * by_un * n / sum;
            gradient[log_E] = e / sum;
            gradient[log_a] = n / sum + pull / al;
            gradient[log_b] = d / sum - pull / al;
            gradient[log_alpha] = al * (mean_n - log_n) * n / sum + pull * (1 / al + mean_n - log_un);
            gradient[log_beta] =
                be * ((mean_d - log_d) * d / sum + pull * (row.log_u - 1 / be - mean_d) / al);
        }
        // Far out the law overflows: no place to go, and no slope to follow.
        for (const double slope : gradient)
            if (!std::isfinite(slope)) return slope;
    }
    return top + std::log(sum) - row.log_loss;
}

std::vector<std::vector<double>> starts(const RepetitionModel& data) {
    double lowest = infinity;
    for (const auto& row : data.rows)
        lowest = std::min(lowest, row.log_loss);
    std::vector<std::vector<double>> bases = {{}};
    if (!data.given) {
        bases.clear();
        for (const double floor : {0.3, 0.7, 0.9})
            for (const double term : {0.05, 0.3})
                for (const double exponent : {0.2, 0.35, 0.6})
                    bases.push_back({lowest + std::log(floor), lowest + std::log(term),
                                     lowest + std::log(term), std::log(exponent), std::log(exponent)});
    }
    std::vector<std::vector<double>> grid;
    for (const auto& base : bases)
        for (const double rd : decays)
            for (const double rn : decays) {
                std::vector<double> start = {std::log(rd), std::log(rn)};
                start.insert(start.end(), base.begin(), base.end());
                grid.push_back(std::move(start));
            }
    return grid;
}

ParametricLaw parametric(const RepetitionModel& data) {
    // The decays have no hard limits: running to infinity or zero is an answer, and judged as one.
    ParametricLaw law{.model = data.model(),
                      .parameters = {{"R_D*"}, {"R_N*"}},
                      .report = [&data](std::span<const double> at) { return data.report(at); },
                      .starts = starts(data),
                      .minimized_starts = 49};
    if (!data.given) {
        law.parameters.push_back({"E", 1e-3, infinity, /*soft=*/true});
        for (const char* name : {"A", "B"})
            law.parameters.push_back({name});
        for (const char* name : {"alpha", "beta"})
            law.parameters.push_back({name, 0.01, 3});
    }
    return law;
}

}  // namespace isogrid::analysis
