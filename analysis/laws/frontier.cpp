#include "analysis/laws/frontier.hpp"

#include <cmath>

#include "analysis/fit/validation.hpp"

namespace isogrid::analysis {

Frontier fit_frontier(std::span<const Optimum> optima, const FrontierWeights& weights) {
    std::vector<double> flops, parameters, tokens, loss;
    for (const Optimum& optimum : optima) {
        flops.push_back(optimum.flops);
        parameters.push_back(optimum.parameters);
        tokens.push_back(optimum.tokens);
        loss.push_back(optimum.loss);
    }
    return {fit_power_law(flops, parameters, weights.size), fit_power_law(flops, tokens, weights.size),
            fit_power_law(flops, loss, weights.loss)};
}

Estimate spread_of_log(const Frontier& frontier, const std::vector<Frontier>& replicates, double widening,
                       const std::function<double(const Frontier&)>& log_of) {
    // Of differences, which are widened as such: logarithms themselves would be by a factor where they are
    // positive, and those of losses change their sign at 1.
    const double log_value = log_of(frontier);
    Estimate estimate = estimated(
        frontier, replicates, [&](const Frontier& f) { return log_of(f) - log_value; }, widening);
    estimate.value = std::exp(log_value);
    estimate.se *= estimate.value;
    estimate.low = std::exp(log_value + estimate.low), estimate.high = std::exp(log_value + estimate.high);
    return estimate;
}

void answer_with(const Frontier& frontier, const FrontierReplicates& replicates, LawFit& fit) {
    struct Curve {
        const char* name;
        PowerLaw Frontier::*law;
        double widening;
        bool leading;  ///< its exponent is a parameter of the law, not derived
    };
    const Curve curves[] = {{"parameters", &Frontier::parameters, replicates.size_widening, true},
                            {"tokens", &Frontier::tokens, replicates.size_widening, true},
                            {"loss", &Frontier::loss, replicates.loss_widening, false}};
    for (const Curve& curve : curves) {
        (curve.leading ? fit.parameters : fit.derived)
            .push_back({std::string(curve.name) + "_exponent",
                        estimated(
                            frontier, replicates.frontiers,
                            [&](const Frontier& f) { return (f.*curve.law).exponent; }, curve.widening)});
        fit.derived.push_back(
            {std::string(curve.name) + "_coefficient",
             spread_of_log(frontier, replicates.frontiers, curve.widening,
                           [&](const Frontier& f) { return (f.*curve.law).log_coefficient; })});
    }
    fit.objective = "least squares of log N";
    fit.objective_value = frontier.parameters.squares;
    fit.notes.push_back("its loss follows a power law without a floor: beyond the runs, a lower limit");
    fit.predict = [frontier, replicates, law = fit.name](double flops) {
        const auto at = [&](PowerLaw Frontier::*part, double widening) {
            return spread_of_log(frontier, replicates.frontiers, widening, [&](const Frontier& f) {
                return (f.*part).log_coefficient + (f.*part).exponent * std::log(flops);
            });
        };
        return Prediction{law, flops, at(&Frontier::parameters, replicates.size_widening),
                          at(&Frontier::tokens, replicates.size_widening),
                          at(&Frontier::loss, replicates.loss_widening)};
    };
}

void tell_frontier_validation(std::span<const Optimum> optima, const FrontierWeights& weights, LawFit& fit) {
    constexpr std::size_t fewest = 3;
    std::vector<double> flops, sizes, losses;
    for (const Optimum& optimum : optima) {
        flops.push_back(optimum.flops);
        sizes.push_back(optimum.parameters);
        losses.push_back(optimum.loss);
    }
    const auto some = [&](PowerLaw Frontier::*part) {
        return [&, part](std::span<const std::size_t> fitted) -> std::optional<Predictor> {
            std::vector<Optimum> small;
            FrontierWeights their;
            for (const std::size_t i : fitted) {
                small.push_back(optima[i]);
                if (!weights.size.empty()) their.size.push_back(weights.size[i]);
                if (!weights.loss.empty()) their.loss.push_back(weights.loss[i]);
            }
            const PowerLaw law = fit_frontier(small, their).*part;
            return [law, &flops](std::size_t i) { return law.at(flops[i]); };
        };
    };
    const auto scale = [](const char* title) { return Column{"flops", title, Quantity::flops}; };
    tell_validation(expanding_window(flops, sizes, fewest, some(&Frontier::parameters)),
                    scale("N* up to (FLOPs)"), "best size", fit);
    tell_validation(expanding_window(flops, losses, fewest, some(&Frontier::loss)),
                    scale("loss up to (FLOPs)"), "lowest loss", fit, "validation_loss");
}

}  // namespace isogrid::analysis
