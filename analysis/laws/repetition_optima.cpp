#include "analysis/laws/repetition_optima.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace isogrid::analysis {

std::vector<RepetitionOptimum> local_optima(const std::vector<Minimum>& minima) {
    constexpr double same_value = 1e-5, same_place = 0.02;
    std::vector<RepetitionOptimum> optima;
    for (const Minimum& minimum : minima) {
        if (!minimum.converged) continue;
        const auto found = std::find_if(optima.begin(), optima.end(), [&](const RepetitionOptimum& known) {
            if (minimum.value > known.value * (1 + same_value)) return false;
            for (const std::size_t p : {0, 1}) {
                const double here = std::clamp(minimum.at[p], -7.0, 16.0);  // all of the limit is one place
                const double there = std::clamp(known.at[p], -7.0, 16.0);
                if (std::abs(here - there) > same_place) return false;
            }
            return true;
        });
        if (found != optima.end())
            ++found->starts;
        else
            optima.push_back({minimum.at, minimum.value, 1});
    }
    return optima;
}

Table optima_table(const RepetitionModel& data, const std::vector<RepetitionOptimum>& optima) {
    Table table{"optima",
                "Where the starts end",
                {{"data_decay", "R_D*", Quantity::number},
                 {"parameter_decay", "R_N*", Quantity::number},
                 {"objective", "objective", Quantity::text},
                 {"above", "above the lowest", Quantity::percent},
                 {"starts", "starts", Quantity::number},
                 {"status", "", Quantity::text}},
                {}};
    for (const RepetitionOptimum& optimum : optima) {
        const auto values = data.report(optimum.at);
        table.rows.push_back({values[0], values[1], optimum.value, optimum.value / optima.front().value - 1,
                              static_cast<double>(optimum.starts),
                              &optimum == &optima.front() ? "lowest" : "local"});
    }
    return table;
}

DecayProfile profile(const RepetitionModel& data, const FitOptions& options,
                     const std::vector<RepetitionOptimum>& optima, double highest) {
    DecayProfile found;
    constexpr int points = 31;
    std::vector<double> last;  // where the point before ended
    const double low = std::log(0.3), high = std::log(highest);
    for (int k = 0; k < points; ++k) {
        const double held = low + (high - low) * k / (points - 1);
        const ResidualModel inner{
            data.parameters() - 1, data.rows.size(),
            [&data, held](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                std::array<double, 7> all{}, slopes{};
                all[0] = held;
                std::copy(at.begin(), at.end(), all.begin() + 1);
                const double residual = data.residual(
                    std::span(all).first(at.size() + 1), i,
                    gradient.empty() ? std::span<double>{} : std::span(slopes).first(at.size() + 1));
                std::copy_n(slopes.begin() + 1, gradient.size(), gradient.begin());
                return residual;
            }};
        std::vector<std::vector<double>> begin;
        for (std::size_t o = 0; o < std::min<std::size_t>(optima.size(), 2); ++o)
            begin.emplace_back(optima[o].at.begin() + 1, optima[o].at.end());
        if (!last.empty()) begin.push_back(last);
        const auto minima = minimize_from_many(inner, options.objective, {}, begin, begin.size());
        if (minima.empty()) continue;
        found.decay.push_back(std::exp(held));
        found.objective.push_back(minima.front().value);
        last = minima.front().at;
    }
    return found;
}

Figure profile_figure(const RepetitionModel& data, const DecayProfile& curve,
                      const std::vector<RepetitionOptimum>& optima) {
    const double best = optima.front().value;
    Figure figure{
        "repetition-profile",
        "How well the runs determine the decay of repeated data",
        "The lowest objective with R_D* held, over the lowest of all. A curve that stays flat to the "
        "right says that the runs set no upper limit.",
        {"R_D* held", Quantity::number, true},
        {"objective over the lowest", Quantity::number, false},
        {}};
    Series line{"profile", Mark::line, std::nullopt, 0, curve.decay, {}, {}};
    for (const double value : curve.objective)
        line.y.push_back(value / best);
    Series marks{"local optima", Mark::diamonds, std::nullopt, 1, {}, {}, {}};
    for (const RepetitionOptimum& optimum : optima) {
        const double decay = data.report(optimum.at)[0];
        if (decay <= curve.decay.back() && decay >= curve.decay.front() && optimum.value < 1.1 * best)
            marks.x.push_back(decay), marks.y.push_back(optimum.value / best);
    }
    if (!line.y.empty()) figure.y.highest = std::min(1.5, *std::max_element(line.y.begin(), line.y.end()));
    figure.series = {std::move(line), std::move(marks)};
    return figure;
}

}  // namespace isogrid::analysis
