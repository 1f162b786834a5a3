#include "analysis/laws/frontier.hpp"

#include <functional>

namespace isogrid::analysis {

Frontier fit_frontier(std::span<const Optimum> optima) {
    std::vector<double> flops, parameters, tokens, loss;
    for (const Optimum& optimum : optima) {
        flops.push_back(optimum.flops);
        parameters.push_back(optimum.parameters);
        tokens.push_back(optimum.tokens);
        loss.push_back(optimum.loss);
    }
    return {fit_power_law(flops, parameters), fit_power_law(flops, tokens), fit_power_law(flops, loss)};
}

void answer_with(const Frontier& frontier, const std::vector<Frontier>& replicates, LawFit& fit) {
    const auto estimate = [](const Frontier& best, const std::vector<Frontier>& others,
                             const std::function<double(const Frontier&)>& of) {
        std::vector<double> spread;
        for (const Frontier& other : others)
            spread.push_back(of(other));
        return summarize(of(best), std::move(spread));
    };
    const auto tell = [&](std::vector<Parameter>& where, const char* name,
                          const std::function<double(const Frontier&)>& of) {
        where.push_back({name, estimate(frontier, replicates, of)});
    };
    tell(fit.parameters, "parameters_exponent", [](const Frontier& f) { return f.parameters.exponent; });
    tell(fit.parameters, "tokens_exponent", [](const Frontier& f) { return f.tokens.exponent; });
    tell(fit.derived, "parameters_coefficient", [](const Frontier& f) { return f.parameters.coefficient(); });
    tell(fit.derived, "tokens_coefficient", [](const Frontier& f) { return f.tokens.coefficient(); });
    tell(fit.derived, "loss_exponent", [](const Frontier& f) { return f.loss.exponent; });
    tell(fit.derived, "loss_coefficient", [](const Frontier& f) { return f.loss.coefficient(); });
    fit.objective = "least squares of log N";
    fit.objective_value = frontier.parameters.squares;
    fit.notes.push_back("its loss follows a power law without a floor: beyond the runs, a lower limit");
    fit.predict = [estimate, frontier, replicates, law = fit.name](double flops) {
        Prediction prediction{law, flops, {}, {}, {}};
        prediction.parameters =
            estimate(frontier, replicates, [flops](const Frontier& f) { return f.parameters.at(flops); });
        prediction.tokens =
            estimate(frontier, replicates, [flops](const Frontier& f) { return f.tokens.at(flops); });
        prediction.loss =
            estimate(frontier, replicates, [flops](const Frontier& f) { return f.loss.at(flops); });
        return prediction;
    };
}

}  // namespace isogrid::analysis
