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

#include "analysis/figures/figure.hpp"
#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/options.hpp"
#include "analysis/fit/parametric.hpp"
#include "analysis/fit/refusal.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

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

/// A law of loss over N parameters and D tokens, and the same law of every replicate.
struct LossSurface {
    using Loss = std::function<double(double parameters, double tokens)>;
    Loss loss;
    std::vector<Loss> replicates;
    double widening = 1;                   ///< of the replicates' intervals (case_widening)
    double flops_per_parameter_token = 6;  ///< C / (N D) of its runs
    /// The lowest loss of its runs; NaN where it is not known.
    double lowest_seen = std::numeric_limits<double>::quiet_NaN();

    /// What endless parameters and tokens would come to.
    double floor() const {
        return loss(std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity());
    }
    /// A run has gone below the floor: whatever else the law describes, it is not the best runs.
    bool contradicted() const { return floor() >= lowest_seen; }
};

/// How far off a law was on what it had not seen.
struct HeldOut {
    std::string what;       ///< that it predicted: `loss`, `best size`
    double mean_error = 0;  ///< share, over all cuts of its expanding window
};

/// What the batch may follow, as far as a law knows, and how far off that was.
struct BatchRule {
    std::string in;  ///< `N and D`, `L`
    /// The batch, in the unit of the runs, that suits N parameters trained on D tokens to a loss.
    std::function<Estimate(double parameters, double tokens, double loss)> at;
    /// On what it had not seen (held_out_error), at the cuts that its rivals of the same LawFit were tried at
    /// too; NaN where it was not tried.
    double held_out = std::numeric_limits<double>::quiet_NaN();
};

struct LawFit {
    std::string name;               ///< as on the command line: `joint`
    std::optional<Reason> refused;  ///< absent: the law stands
    std::vector<Reason> warnings;   ///< it stands, but
    std::string objective;          ///< `huber:0.001`, `least squares of log N`
    double objective_value = std::numeric_limits<double>::quiet_NaN();
    std::string redrawn;  ///< what its replicates draw again, where that is not --resample's to say
    std::vector<Parameter> parameters;
    std::vector<Parameter> derived;  ///< functions of the parameters
    std::vector<Table> tables;
    std::vector<HeldOut> held_out;  ///< of each thing that it predicts and was tried on
    std::vector<Figure> figures;
    std::vector<std::string> notes;  ///< how to read it
    std::vector<Optimum> optima;     ///< the points its power laws run through, where it has such
    /// The optimum at a budget of so many FLOPs; empty when refused.
    std::function<Prediction(double flops)> predict;
    /// Loss over size and data, for laws that know it everywhere; empty when refused.
    std::optional<LossSurface> surface;
    /// The learning rate that suits N parameters trained on D tokens; empty for laws that do not know.
    std::function<Estimate(double parameters, double tokens)> learning_rate_at;
    /// What the batch may follow; those in size and data come before that in the loss, of which no power can
    /// go on as the data do where the loss levels off. Empty for laws that do not know.
    std::vector<BatchRule> batch_rules;
};

/// The first rule, unless another errs less than half as much on what it had not seen, as errors of a few
/// cuts differ by chance; of several such the first, unless again. Null where there is none.
const BatchRule* most_trusted(std::span<const BatchRule> rules);

struct Law {
    std::string_view name;
    std::vector<Role> needs;  ///< what runs must hold; without it the law is not asked
    std::string_view title;
    std::string_view equation;  ///< plain text
    std::string_view source;    ///< paper and section
    LawFit (*fit)(const Runs& runs, const FitOptions& options);
    std::vector<Role> varied = {};  ///< what must differ between runs; else the law is asked only by name
    /// Of an archive with several: the studies whose runs it is about, the first that there is.
    std::vector<std::string_view> studies = {"isoflop"};
    bool fresh_data = false;  ///< it takes every token for a new one: not asked of runs that repeat data
    /// Each sweep, cell or set of curves is of one family, and what it says is of the one with most of them.
    bool families_apart = false;
};

/// Every law, in the order of a report.
std::span<const Law> laws();

/// The law that the fit is of.
const Law& law_of(const LawFit& fit);

/// Says in `fit` what came of fitting its parameters. False where no minimum was found: there is nothing to
/// say beyond the refusal.
bool tell_fit(const ParametricFit& found, LawFit& fit);

/// Cuts as a table under the key `validation`; `what` is predicted: `loss`, `critical batch`.
Table validation_table(const std::vector<Cut>& cuts, const Column& scale, const std::string& what);

/// Says in `fit` how the law did on what it had not seen, in a table under `key` too; nothing without cuts.
void tell_validation(const std::vector<Cut>& cuts, const Column& scale, const std::string& what, LawFit& fit,
                     const std::string& key = "validation");

LawFit fit_envelope(const Runs& runs, const FitOptions& options);
LawFit fit_isoflop(const Runs& runs, const FitOptions& options);
LawFit fit_joint(const Runs& runs, const FitOptions& options);
LawFit fit_joint_kaplan(const Runs& runs, const FitOptions& options);
LawFit fit_joint_rosenfeld(const Runs& runs, const FitOptions& options);
LawFit fit_data(const Runs& runs, const FitOptions& options);
LawFit fit_size(const Runs& runs, const FitOptions& options);
LawFit fit_compute(const Runs& runs, const FitOptions& options);
LawFit fit_compare(const Runs& runs, const FitOptions& options);
LawFit fit_critical_batch(const Runs& runs, const FitOptions& options);
LawFit fit_batch_ramp(const Runs& runs, const FitOptions& options);
LawFit fit_repetition(const Runs& runs, const FitOptions& options);
LawFit fit_overtraining(const Runs& runs, const FitOptions& options);
LawFit fit_downstream(const Runs& runs, const FitOptions& options);
LawFit fit_hyperparameters(const Runs& runs, const FitOptions& options);
LawFit fit_mup(const Runs& runs, const FitOptions& options);
LawFit fit_mixture(const Runs& runs, const FitOptions& options);
LawFit fit_experts(const Runs& runs, const FitOptions& options);
LawFit fit_schedule(const Runs& runs, const FitOptions& options);

}  // namespace isogrid::analysis
