#include "analysis/laws/downstream_chain.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "analysis/figures/extent.hpp"
#include "analysis/figures/numbers.hpp"
#include "analysis/laws/banded_line.hpp"
#include "analysis/laws/best_size.hpp"

namespace isogrid::analysis {
namespace {

Optimum best_size(const ErrorChain& chain, double flops) {
    const LossSurface& surface = *chain.loss.surface;
    return optimum_on(surface.loss, flops, surface.flops_per_parameter_token);
}

}  // namespace

Estimate ErrorChain::error(double parameters, double tokens) const {
    std::vector<double> spread;
    const std::size_t count = std::min(replicates.size(), loss.surface->replicates.size());
    for (std::size_t k = 0; k < count; ++k) {
        // Of runs that differ, the same draws would be no pair, and yet alike: the other way round they are
        // not.
        const auto& loss_again = loss.surface->replicates[drawn_together ? k : count - 1 - k];
        spread.push_back(form.error(replicates[k], loss_again(parameters, tokens)));
    }
    return summarize(form.error(values, loss.surface->loss(parameters, tokens)), std::move(spread), widening);
}

std::optional<Estimate> as_share(Estimate error) {
    if (!(error.value >= 0 && error.value <= 1)) return std::nullopt;
    error.low = std::max(error.low, 0.0), error.high = std::min(error.high, 1.0);
    return error;
}

Table prediction_table(const ErrorChain& chain, double largest, std::vector<Reason>& warnings) {
    Table table{"errors",
                "Predicted error of the best size, from compute alone",
                {{"flops", "compute", Quantity::flops},
                 {"parameters", "parameters", Quantity::parameters},
                 {"tokens", "tokens", Quantity::tokens},
                 {"loss", "loss", Quantity::loss},
                 {"error", "error", Quantity::percent},
                 {"low", "95% from", Quantity::percent},
                 {"high", "to", Quantity::percent}},
                {}};
    for (const double more : {1.0, 10.0, 100.0}) {
        const Optimum best = best_size(chain, more * largest);
        const Estimate said = chain.error(best.parameters, best.tokens);
        const Estimate error = as_share(said).value_or(Estimate{});
        table.rows.push_back(
            {more * largest, best.parameters, best.tokens, best.loss, error.value, error.low, error.high});
        if (std::isfinite(error.value)) continue;
        warnings.push_back({Refusal::far_extrapolation,
                            "at " + format_quantity(more * largest, Quantity::flops) + " FLOPs the " +
                                std::string(chain.form.name) + " form comes to an error of " +
                                format_significant(said.value, 2) +
                                " (an error lies between 0 and 1; the form does not hold so far beyond the "
                                "runs) do not extrapolate it that far"});
    }
    return table;
}

Figure error_figure(const ErrorPairs& pairs, const ErrorForm& chosen, const ParametricFit& found,
                    const ErrorForm* other, const ParametricFit* other_found) {
    Figure figure{"downstream",
                  "Error on the task against loss",
                  "Points: runs. Line: the law with its 95% interval" +
                      std::string(other ? "; dashed: the other form." : "."),
                  {"loss (nats a token)", Quantity::loss, false},
                  {"error", Quantity::percent, false},
                  {}};
    const Extent seen = extent_of(pairs.loss, std::identity{});
    const double low = seen.low - 0.15 * (seen.high - seen.low),
                 high = seen.high + 0.05 * (seen.high - seen.low);
    BandedLine line(std::string(chosen.name), std::nullopt, 1);
    line.band.label = "95%";
    Series dashes{other ? std::string(other->name) : "", Mark::dashes, std::nullopt, 2, {}, {}, {}};
    for (int k = 0; k <= 60; ++k) {
        const double loss = low + (high - low) * k / 60;
        const Estimate error = derived(found, "", [&](auto v) { return chosen.error(v, loss); }).estimate;
        if (const auto share = as_share(error)) line.add(loss, *share);
        if (other) dashes.x.push_back(loss), dashes.y.push_back(other->error(other_found->values, loss));
    }
    line.draw_into(figure);
    if (other) figure.series.push_back(std::move(dashes));
    figure.series.push_back({"runs", Mark::points, std::nullopt, 0, pairs.loss, pairs.error, {}});
    return figure;
}

Figure chain_figure(const ErrorChain& chain, const std::vector<Run>& runs) {
    Figure figure{
        "downstream-chain",
        "Error on the task against compute",
        "Points: runs, light ones of many tokens per parameter. Line: the law of loss and the law of error "
        "one after the other, at the best size for each compute, with the 95% interval of both.",
        {"training compute C (FLOPs)", Quantity::flops, true},
        {"error", Quantity::percent, false},
        {}};
    const auto ratio = [](const Run& run) { return run.tokens / run.parameters; };
    const Extent flops_seen = extent_of(runs, &Run::flops), ratios = extent_of(runs, ratio);
    BandedLine line("predicted", std::nullopt, 1);
    line.band.label = "95%";
    for (const double flops : log_spaced(flops_seen.low, 30 * flops_seen.high, 40)) {
        const Optimum best = best_size(chain, flops);
        if (const auto share = as_share(chain.error(best.parameters, best.tokens))) line.add(flops, *share);
    }
    line.draw_into(figure);
    for (const Run& run : runs)
        if (run.error)
            figure.series.push_back(
                {"", Mark::points, ratios.place(ratio(run)), 0, {run.flops}, {*run.error}, {}});
    return figure;
}

}  // namespace isogrid::analysis
