// The runs that laws are fitted to: one row a run, each count under one stated convention, and every run that
// was left out with the reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "study/fault.hpp"
#include "study/flops.hpp"

namespace isogrid::analysis {

/// A point of a training curve.
struct CurveSample {
    double tokens = 0;  ///< trained on so far
    double flops = 0;   ///< spent so far, in the convention of the runs
    double loss = 0;    ///< nats a token
};

struct Run {
    std::string name;    ///< for people: `b3-w64-d4`, or `line 12` of a CSV
    std::string digest;  ///< SHA-256 of the trial's record, or of the CSV row's text
    double parameters = 0;
    double tokens = 0;
    double flops = 0;
    double loss = 0;                 ///< nats a token at the run's end
    double budget = 0;               ///< the isoFLOP budget in FLOPs; runs of one budget share the value
    std::optional<double> batch;     ///< tokens a step, where known
    std::vector<CurveSample> curve;  ///< by rising tokens; empty where only the end is known
    double bits_per_byte = std::numeric_limits<double>::quiet_NaN();  ///< of the text, where known
};

struct RejectedRun {
    std::string name;
    std::string digest;
    std::string reason;
};

struct Conventions {
    std::string parameters;  ///< what N counts
    std::string tokens;      ///< where D comes from
    std::string flops;       ///< what C counts
    std::string loss;        ///< what the loss is
};

struct Runs {
    std::string source;  ///< file the runs were read from
    std::string digest;  ///< SHA-256 of a CSV's bytes; of an archive, over its trials' digests
    Conventions conventions;
    std::vector<Run> used;
    std::vector<RejectedRun> rejected;
    std::vector<std::string> notes;  ///< what a reader must know of how the runs were read
};

/// How to read runs from a CSV file.
struct CsvRequest {
    std::filesystem::path file;
    std::map<std::string, std::string> columns;              ///< role (parameters, loss, ...) -> column
    std::vector<std::pair<std::string, std::string>> where;  ///< keep rows whose column has this value
    std::size_t drop_highest_loss = 0;                       ///< reject this many of the highest losses
};

/// Splits `parameters=n_params,loss=Loss` into roles. Faults: an unknown role, a role given twice, a missing
/// `parameters` or `loss`, both `tokens` and `flops` missing.
study::Result<std::map<std::string, std::string>> parse_columns(const std::string& text);

/// Reads a CSV whose rows are runs or, with the role `run`, points of training curves. Tokens absent are
/// flops / (6 parameters), flops absent are 6 parameters tokens (Kaplan et al. 2020, section 2.1);
/// conventions say so. Empty, not-a-number and non-positive values reject the run; text where a number
/// belongs is a fault.
study::Result<Runs> read_csv(const CsvRequest& request);

enum class ParameterConvention { total, non_embedding };

/// How to read runs from an archive.
struct ArchiveRequest {
    std::filesystem::path file;
    ParameterConvention parameters = ParameterConvention::total;
    std::optional<study::FlopConvention> flops;  ///< absent: the one its budgets are set in
    std::size_t drop_highest_loss = 0;
};

/// Reads the trials of an archive; N, C and the curves follow the conventions asked for, the loss is the
/// validation loss. Trials that did not complete are rejected with their outcome and cause.
study::Result<Runs> read_archive_runs(const ArchiveRequest& request);

/// Gives budgets that differ by rounding only (1e-6) one value, the lowest of them.
void join_budgets(std::vector<Run>& runs);

/// Moves the `count` runs of highest loss from used to rejected.
void drop_highest_loss(Runs& runs, std::size_t count);

/// The whole file, or a fault that says why it cannot be read.
study::Result<std::string> read_text(const std::filesystem::path& file);

}  // namespace isogrid::analysis
