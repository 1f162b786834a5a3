// The runs that laws are fitted to: one row a run, each count under one stated convention, and every run that
// was left out with the reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "study/flops.hpp"

namespace isogrid::analysis {

/// What a column, or an archive, may say of a run. Laws name those that they need.
enum class Role {
    parameters,
    tokens,
    loss,
    flops,
    batch,          ///< tokens a step, or examples: whatever unit the source counts in
    steps,          ///< optimizer steps; with batch, tokens are their product
    step,           ///< of a curve's point: steps so far
    run,            ///< rows of one run make its curve
    name,           ///< of the run, for people
    seed,           ///< runs that differ by their seed alone are repeats
    family,         ///< architecture, optimizer or data: what is compared
    loss_error,     ///< standard error of the loss
    learning_rate,  ///< peak; of a curve's point: at that step
    width,
    parametrization,           ///< standard, mup, ...
    unique_tokens,             ///< different tokens in the data; tokens beyond it are repetitions
    error,                     ///< of a downstream task, 0 to 1
    noise_scale,               ///< measured gradient noise scale, in the unit of batch
    active_parameters,         ///< used for each token, of a sparse model
    experts,                   ///< of a sparse model; 1 for a dense one
    non_embedding_parameters,  ///< N under the other convention
    share                      ///< `share.SOURCE`: the source's proportion of the data
};
std::string_view name(Role role);

/// A point of a training curve.
struct CurveSample {
    double tokens = 0;                                       ///< trained on so far
    double flops = 0;                                        ///< spent so far, in the convention of the runs
    double loss = 0;                                         ///< nats a token
    double step = std::numeric_limits<double>::quiet_NaN();  ///< where known
    double learning_rate = std::numeric_limits<double>::quiet_NaN();  ///< where known
    /// Sums over the steps since the point before, where the gradient's noise was measured: of |G|^2, and of
    /// tr(Sigma) times the tokens of a sequence. Their ratio is the noise scale in tokens.
    double noise_signal = std::numeric_limits<double>::quiet_NaN();
    double noise_variance = std::numeric_limits<double>::quiet_NaN();
};

/// The learning rate of a step.
struct RateSample {
    double step = 0, learning_rate = 0;
};

/// A count under one convention: `non_embedding`, `exact`.
struct Convention {
    std::string name;
    double value = 0;
};

struct Run {
    std::string name;       ///< for people: `b3-w64-d4`, or `line 12` of a CSV
    std::string digest;     ///< SHA-256 of the trial's record, or of the CSV row's text
    double parameters = 0;  ///< 0 where the source does not say
    double tokens = 0;      ///< 0 where the source does not say
    double flops = 0;       ///< 0 where the source does not say
    double loss = 0;        ///< nats a token at the run's end
    double budget = 0;      ///< the isoFLOP budget in FLOPs; runs of one budget share the value
    std::optional<double> batch, steps, learning_rate, width, unique_tokens, error, loss_error, noise_scale,
        active_parameters, experts;             ///< see Role
    std::string seed, family, parametrization;  ///< empty where not known
    std::vector<std::string> studies;           ///< of an archive, that the run is part of: `isoflop`
    std::vector<double> shares;                 ///< of the data, one for each of Runs::sources
    std::vector<Convention> other_parameters;   ///< N under every convention that is stored
    std::vector<Convention> other_flops;        ///< C under every convention that is stored
    std::vector<CurveSample> curve;             ///< by rising tokens; empty where only the end is known
    /// By rising steps, where the learning rate is known at more of them than the loss; else empty, and the
    /// curve has what is known.
    std::vector<RateSample> rates;
    double bits_per_byte = std::numeric_limits<double>::quiet_NaN();  ///< of the text, where known
};

struct RejectedRun {
    std::string name;
    std::string digest;
    std::string reason;
};

/// What D, and C = 6 N D with it, counts where it comes from steps and no column says tokens or FLOPs:
/// perhaps tokens, in the unit of the batch, or steps.
enum class TokensUnit { tokens, of_the_batch, steps };

struct Conventions {
    std::string parameters;  ///< what N counts
    std::string tokens;      ///< where D comes from
    std::string flops;       ///< what C counts
    std::string loss;        ///< what the loss is
    std::string batch;       ///< what batches count; empty where nobody says
    TokensUnit tokens_unit = TokensUnit::tokens;
};

struct Runs {
    std::string source;      ///< file the runs were read from
    std::string digest;      ///< SHA-256 of a CSV's bytes; of an archive, over its trials' digests
    std::string unfinished;  ///< of a sweep that has not ended: how far it is; empty of everything else
    Conventions conventions;
    std::vector<double> target_losses;  ///< that the study counts steps to; empty where it names none
    std::vector<std::string> sources;   ///< of mixed data, in the order of Run::shares
    std::vector<Run> used;
    std::vector<RejectedRun> rejected;
    std::vector<std::string> notes;  ///< what a reader must know of how the runs were read
};

/// True when at least one of the used runs says this.
bool know(const Runs& runs, Role role);

/// True when at least two of the used runs say different things of this number or text.
bool vary(const Runs& runs, Role role);

/// How to read runs from a CSV file.
struct CsvRequest {
    std::filesystem::path file;
    std::map<std::string, std::string> columns;              ///< role (parameters, loss, ...) -> column
    std::vector<std::pair<std::string, std::string>> where;  ///< keep rows whose column has this value
    std::size_t drop_highest_loss = 0;                       ///< reject this many of the highest losses
    bool skip_bad_rows = false;  ///< reject rows with missing or impossible values instead of failing
};

/// Splits `parameters=n_params,loss=Loss` into roles. Faults: an unknown role, a role given twice, a missing
/// `loss`.
base::Result<std::map<std::string, std::string>> parse_columns(const std::string& text);

/// Reads a CSV whose rows are runs or, with the role `run`, points of training curves. Tokens absent are
/// batch times steps, or flops / (6 parameters); flops absent are 6 parameters tokens (Kaplan et al. 2020,
/// section 2.1); conventions say so. Faults, each with its line and column: a value that is missing, not a
/// number, not finite or not positive, text where a number belongs, a decimal comma, two rows that say the
/// same (`skip_bad_rows` rejects such rows instead, and runs that end with them); rows of one run that
/// nothing puts in order, that stand in two files, or that differ in their seed or size and so are of several
/// runs. With the role `step` but not `run` the file is the curve of one run, named after it.
base::Result<Runs> read_csv(const CsvRequest& request);

/// The runs of several files with the same columns, each read as `request` says. Budgets, the highest losses
/// and rows that say the same are of all files together.
base::Result<Runs> read_csv(const std::vector<std::filesystem::path>& files, CsvRequest request);

enum class ParameterConvention { total, non_embedding };

/// How to read runs from an archive.
struct ArchiveRequest {
    std::filesystem::path file;
    ParameterConvention parameters = ParameterConvention::total;
    std::optional<study::FlopConvention> flops;  ///< absent: the one its budgets are set in
    std::size_t drop_highest_loss = 0;
};

/// Reads the trials of an archive or, where that is not written yet, those that its sweep has finished so
/// far; N, C and the curves follow the conventions asked for, the loss is the validation loss. Trials that
/// did not complete are rejected with their outcome and cause, files of a sweep that are damaged with the
/// reason.
base::Result<Runs> read_archive_runs(const ArchiveRequest& request);

/// Gives budgets that differ by rounding only one value: by 1e-6, or by 2% where nothing lies between them.
void join_budgets(std::vector<Run>& runs);

/// The most FLOPs any run spent; its budget's nominal value where it met that within 2%.
double largest_budget(const Runs& runs);

/// Moves the `count` runs of highest loss from used to rejected.
void drop_highest_loss(Runs& runs, std::size_t count);

}  // namespace isogrid::analysis
