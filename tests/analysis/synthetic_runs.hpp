// Runs whose law is known because they were made from it.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "analysis/fit/joint_law.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// Close to Chinchilla's, with round numbers.
inline const JointLaw known_law{1.8, 480, 2100, 0.35, 0.37};

/// Loss of a run of this size and data; called once a run, in order.
using LossOf = std::function<double(double parameters, double tokens)>;

/// `sizes` runs on each budget, spread over a factor of e^span around the known law's optimum, C = 6 N D
/// exactly.
inline Runs isoflop_runs(const std::vector<double>& budgets, std::size_t sizes, double span,
                         const LossOf& loss_of) {
    Runs runs;
    runs.source = "synthetic";
    runs.digest = std::string(64, '0');
    runs.conventions = {"N", "D", "C = 6 N D", "nats", ""};
    for (const double budget : budgets) {
        const double center = std::log(known_law.optimum(budget, 6).parameters);
        for (std::size_t i = 0; i < sizes; ++i) {
            Run run;
            run.name = "run " + std::to_string(runs.used.size());
            run.digest = std::string(63, 'a') + std::to_string(runs.used.size() % 10);
            run.parameters =
                std::exp(center + span * (static_cast<double>(i) / static_cast<double>(sizes - 1) - 0.5));
            run.tokens = budget / (6 * run.parameters);
            run.flops = run.budget = budget;
            run.loss = loss_of(run.parameters, run.tokens);
            runs.used.push_back(std::move(run));
        }
    }
    return runs;
}

inline const std::vector<double> four_budgets = {1e18, 4e18, 1.6e19, 6.4e19};

inline double known_loss(double parameters, double tokens) {
    return known_law.loss(parameters, tokens);
}

/// What the rule of this name says of a run; nothing where a law has none.
inline Estimate batch_by(const LawFit& fit, const std::string& in, double parameters, double tokens = 1,
                         double loss = 1) {
    for (const BatchRule& rule : fit.batch_rules)
        if (rule.in == in) return rule.at(parameters, tokens, loss);
    return {};
}

inline double value_of(const std::vector<Parameter>& parameters, const std::string& name) {
    for (const Parameter& parameter : parameters)
        if (parameter.name == name) return parameter.estimate.value;
    return std::nan("");
}

inline Estimate estimate_of(const std::vector<Parameter>& parameters, const std::string& name) {
    for (const Parameter& parameter : parameters)
        if (parameter.name == name) return parameter.estimate;
    return {};
}

}  // namespace isogrid::analysis
