#include "analysis/laws/repetition_figures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/laws/banded_line.hpp"
#include "analysis/laws/best_size.hpp"

namespace isogrid::analysis {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

Table worth_table(const RepetitionLaws& laws) {
    Table table{"repetition",
                "What so many epochs are worth, in epochs of fresh data",
                {{"epochs", "epochs", Quantity::number},
                 {"worth", "worth", Quantity::number},
                 {"low", "95% from", Quantity::number},
                 {"high", "to", Quantity::number},
                 {"next", "the next one", Quantity::percent}},
                {}};
    for (const double epochs : {2, 4, 8, 16, 32, 64, 128}) {
        const Estimate worth =
            laws.estimate([&](const auto& law) { return law.effective_tokens(epochs, 1); });
        table.rows.push_back(
            {epochs, worth.value, worth.low, worth.high, std::exp(-(epochs - 1) / laws.law.data_decay)});
    }
    return table;
}

Table frontier_table(const RepetitionLaws& laws, const std::vector<Run>& runs) {
    Table table{"frontier",
                "Best size and epochs where different tokens are limited (C = 6 N D)",
                {{"unique_tokens", "different tokens", Quantity::tokens},
                 {"flops", "compute", Quantity::flops},
                 {"parameters", "parameters", Quantity::parameters},
                 {"epochs", "epochs", Quantity::number},
                 {"loss", "loss", Quantity::loss},
                 {"low", "95% from", Quantity::loss},
                 {"high", "to", Quantity::loss}},
                {}};
    double unique = 0;
    for (const Run& run : runs)
        unique = std::max(unique, std::min(run.unique_tokens.value_or(run.tokens), run.tokens));
    const auto best = [&](const RepetitionLaw& law, double flops) {
        return optimum_on([&](double N, double D) { return law.loss(N, D, unique); }, flops, 6);
    };
    for (const double more : {1.0, 3.0, 10.0, 30.0, 100.0}) {
        const double flops = 6 * laws.law.optimal_size(unique) * unique * more;
        const Optimum found = best(laws.law, flops);
        const Estimate range = laws.estimate([&](const auto& law) { return best(law, flops).loss; });
        table.rows.push_back(
            {unique, flops, found.parameters, found.tokens / unique, found.loss, range.low, range.high});
    }
    return table;
}

Figure worth_figure(const RepetitionLaws& laws, const std::vector<Run>& runs) {
    Figure figure{"repetition-worth",
                  "What repeated data is worth",
                  "Effective over different tokens against epochs. Grey: every epoch as good as fresh data. "
                  "Dots: what each run's loss says its data was worth, the law's other terms granted.",
                  {"epochs D / U", Quantity::tokens, true},
                  {"effective epochs D' / U", Quantity::number, true},
                  {}};
    double most = 2;
    Series dots{"runs", Mark::dots, std::nullopt, 4, {}, {}, {}};
    Series fresh{"fresh data", Mark::dashes, std::nullopt, 4, {}, {}, {}};
    BandedLine law("law", std::nullopt, 1);
    law.band.label = "95%";
    for (const Run& run : runs) {
        const double unique = std::min(run.unique_tokens.value_or(run.tokens), run.tokens);
        const double epochs = run.tokens / unique;
        if (!(epochs > 1)) continue;
        most = std::max(most, epochs);
        const JointLaw& base = laws.law.base;
        const double left =
            run.loss - base.E -
            base.A * std::pow(laws.law.effective_parameters(run.parameters, unique), -base.alpha);
        const double worth = left > 0 ? std::pow(base.B / left, 1 / base.beta) / unique : infinity;
        if (worth > 0.03 && worth < 300) dots.x.push_back(epochs), dots.y.push_back(worth);
    }
    for (int k = 0; k <= 60; ++k) {
        const double epochs = std::exp(std::log(most * 1.3) * k / 60);
        law.add(epochs, laws.estimate([&](const auto& one) { return one.effective_tokens(epochs, 1); }));
        if (epochs < 60) fresh.x.push_back(epochs), fresh.y.push_back(epochs);
    }
    if (!law.band.x.empty()) figure.series.push_back(std::move(law.band));
    figure.series.insert(figure.series.end(), {std::move(dots), std::move(fresh), std::move(law.line)});
    return figure;
}

Figure curves_figure(const RepetitionLaws& laws, const std::vector<Run>& runs) {
    Figure figure{"repetition-curves",
                  "Loss against tokens where data is repeated",
                  "Points: runs of one size on the same different tokens. Lines: the law, with its 95% "
                  "interval.",
                  {"tokens D", Quantity::tokens, true},
                  {"loss (nats a token)", Quantity::loss, true},
                  {},
                  "size, different tokens"};
    std::map<std::pair<double, double>, std::vector<const Run*>> groups;
    for (const Run& run : runs)
        groups[{run.parameters, std::min(run.unique_tokens.value_or(run.tokens), run.tokens)}].push_back(
            &run);
    std::vector<std::pair<std::pair<double, double>, std::vector<const Run*>>> order(groups.begin(),
                                                                                     groups.end());
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
    const std::size_t shown = std::min<std::size_t>(order.size(), 4);
    for (std::size_t g = 0; g < shown && order[g].second.size() >= 2; ++g) {
        const auto& [key, members] = order[g];
        const double shade = shown > 1 ? static_cast<double>(g) / static_cast<double>(shown - 1) : 0.5;
        Series points{"", Mark::points, shade, 0, {}, {}, {}};
        Extent seen;
        for (const Run* run : members) {
            points.x.push_back(run->tokens), points.y.push_back(run->loss);
            seen.add(run->tokens);
        }
        BandedLine line(format_count(key.first) + ", " + format_count(key.second), shade, 0);
        for (const double tokens : log_spaced(seen.low, seen.high, 30))
            line.add(tokens, laws.estimate([&, N = key.first, U = key.second](const auto& law) {
                return law.loss(N, tokens, U);
            }));
        line.draw_into(figure);
        figure.series.push_back(std::move(points));
    }
    return figure;
}

}  // namespace isogrid::analysis
