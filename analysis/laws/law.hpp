// What every law shares: how it is asked for, what it answers, and how it refuses. A new law is one file in
// this folder and one line in laws.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/figure.hpp"
#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/objective.hpp"
#include "analysis/runs.hpp"

namespace isogrid::analysis {

/// Why a law is refused or must be read with care. A refusal is a result: the runs cannot answer.
enum class Refusal {
    too_few_runs,     ///< fewer runs or sizes than the law needs
    too_few_budgets,  ///< fewer usable isoFLOP budgets than a power law needs
    no_curves,        ///< only the runs' ends are known
    edge_minimum,     ///< the lowest loss lies at the edge of what was tried
    concave,          ///< the parabola opens downwards
    on_bound,         ///< a parameter ended where the law stops making sense
    not_converged,    ///< the optimizer stopped before a minimum
    did_not_move,     ///< the optimizer ended where it began
    ill_conditioned   ///< the runs do not tell the parameters apart
};
std::string_view name(Refusal refusal);

struct Reason {
    Refusal kind = Refusal::too_few_runs;
    std::string text;  ///< `problem (why) what to do`
};
/// `edge_minimum: problem (why) what to do`.
std::string to_string(const Reason& reason);

struct Parameter {
    std::string name;
    Estimate estimate;
};

/// The best that a law expects of a budget.
struct Prediction {
    std::string law;
    double flops = 0;
    Estimate parameters, tokens, loss;
};

/// A point on the frontier: the best size and data seen or interpolated at some compute.
struct Optimum {
    double flops = 0, parameters = 0, tokens = 0, loss = 0;
};

struct FitOptions {
    Objective objective;           ///< of laws fitted to log losses; power laws are least squares in logs
    std::size_t bootstrap = 1000;  ///< replicates; 0 for none
    std::uint64_t seed = 1;
};

struct LawFit {
    std::string name;               ///< as on the command line: `joint`
    std::optional<Reason> refused;  ///< absent: the law stands
    std::vector<Reason> warnings;   ///< it stands, but
    std::string objective;          ///< `huber:0.001`, `least squares of log N`
    double objective_value = std::numeric_limits<double>::quiet_NaN();
    std::vector<Parameter> parameters;
    std::vector<Parameter> derived;  ///< functions of the parameters
    std::vector<Table> tables;
    std::vector<Figure> figures;
    std::vector<std::string> notes;  ///< how to read it
    std::vector<Optimum> optima;     ///< the points its power laws run through, where it has such
    /// The optimum at a budget of so many FLOPs; empty when refused.
    std::function<Prediction(double flops)> predict;
};

struct Law {
    std::string_view name;
    std::string_view title;
    std::string_view equation;  ///< plain text
    std::string_view source;    ///< paper and section
    LawFit (*fit)(const Runs& runs, const FitOptions& options);
};

/// Every law, in the order of a report.
std::span<const Law> laws();

LawFit fit_envelope(const Runs& runs, const FitOptions& options);
LawFit fit_isoflop(const Runs& runs, const FitOptions& options);
LawFit fit_joint(const Runs& runs, const FitOptions& options);

}  // namespace isogrid::analysis
