// Runs from an isogrid archive.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "analysis/figures/numbers.hpp"
#include "analysis/runs/runs.hpp"
#include "archive/archive.hpp"
#include "archive/run_folder.hpp"
#include "archive/signature.hpp"
#include "archive/so_far.hpp"
#include "base/wording.hpp"
#include "study/branches.hpp"
#include "study/job_reader.hpp"

namespace isogrid::analysis {
namespace {

std::string describe(ParameterConvention convention) {
    return convention == ParameterConvention::total
               ? "total: all parameters (embedding, head, attention, mlp, norm)"
               : "non_embedding: all parameters but embedding and head (Kaplan et al. 2020)";
}

std::string describe(study::FlopConvention convention) {
    using enum study::FlopConvention;
    const std::string label(study::name(convention));
    switch (convention) {
        case six_n:
            return label + ": 6 N D with N all parameters (Chinchilla's approximation)";
        case matmul:
            return label + ": 6 D times the weights that multiply (Porian et al. 2024)";
        case attention:
            return label + ": matmul plus causal attention scores";
        case exact:
            return label + ": every operation of the training graph, optimizer apart";
    }
    return label;
}

/// The step that a run is counted from: a trial of [critical_batch] that goes on from a trunk is about the
/// batch that it has from there.
std::int64_t counted_from(const study::PlannedTrial& planned) {
    const auto& studies = planned.studies;
    const bool of_batches = std::find(studies.begin(), studies.end(), "critical_batch") != studies.end();
    const auto& stages = planned.trial.batch_schedule;
    return of_batches && stages.size() == 1 ? stages.front().step : 0;
}

/// The trial's validation curve; where an evaluation and the compute spent are both known.
std::vector<CurveSample> validation_curve(const archive::TrialRecord& record,
                                          study::FlopConvention convention) {
    const study::Trial& trial = record.planned.trial;
    const double flops_per_token = record.planned.flops_per_token.under(convention);
    const std::int64_t start = counted_from(record.planned);
    const auto context = static_cast<double>(trial.shape.context);
    std::vector<CurveSample> curve;
    std::int64_t before = start;
    double signal = 0, variance = 0;
    for (const archive::CurvePoint& point : record.result.curve) {
        if (point.step <= start) continue;
        const auto steps = static_cast<double>(point.step - before);
        before = point.step;
        signal += steps * point.noise.signal;
        variance += steps * point.noise.variance * context;
        if (!std::isfinite(point.validation_loss)) continue;
        const auto tokens = static_cast<double>(point.tokens - trial.tokens_after(start));
        curve.push_back({tokens, tokens * flops_per_token, point.validation_loss,
                         static_cast<double>(point.step - start), point.learning_rate, signal, variance});
        signal = variance = 0;
    }
    return curve;
}

/// The learning rate of every row that was stored: rows are many times as dense as evaluations, and a decay
/// that is known at the evaluations alone would look like a few jumps.
std::vector<RateSample> learning_rates(const archive::TrialRecord& record) {
    const std::int64_t start = counted_from(record.planned);
    std::vector<RateSample> rates;
    for (const archive::CurvePoint& point : record.result.curve)
        if (point.step > start)
            rates.push_back({static_cast<double>(point.step - start), point.learning_rate});
    return rates;
}

/// The gradient noise scale in tokens: summed over the last half of the steps, as it grows while the loss
/// falls (McCandlish et al. 2018, section 2.2); nothing where it was not measured or is not positive.
std::optional<double> noise_scale(const archive::TrialRecord& record) {
    double signal = 0, variance = 0;
    std::int64_t before = 0;
    for (const archive::CurvePoint& point : record.result.curve) {
        const auto steps = static_cast<double>(point.step - before);
        before = point.step;
        if (2 * point.step <= record.result.steps_done || !std::isfinite(point.noise.variance)) continue;
        signal += steps * point.noise.signal;
        variance += steps * point.noise.variance;
    }
    if (!(signal > 0) || !(variance > 0)) return std::nullopt;
    return variance / signal * static_cast<double>(record.planned.trial.shape.context);
}

/// Those of [critical_batch] in the job file.
std::vector<double> target_losses(const std::string& job_text) {
    study::Job job;
    job.text = job_text;
    study::JobFaults faults({});  // of keys that a later version knows, say: they are none of ours
    study::read_job(job, {}, faults);
    return job.critical_batch ? job.critical_batch->targets : std::vector<double>{};
}

/// Why a trial cannot be fitted; empty when it can.
std::string reject(const archive::TrialRecord& record) {
    if (record.result.outcome != archive::Outcome::completed) {
        const std::string outcome(archive::name(record.result.outcome));
        return record.result.cause.empty() ? outcome : outcome + ": " + record.result.cause;
    }
    if (!std::isfinite(record.result.validation_loss) || !(record.result.validation_loss > 0))
        return "no finite validation loss";
    return {};
}

/// `training_tokens`: of the text; 0: not known.
Run run_of(const archive::TrialRecord& record, ParameterConvention parameters,
           study::FlopConvention convention, std::int64_t training_tokens) {
    const study::PlannedTrial& planned = record.planned;
    const study::Trial& trial = planned.trial;
    Run run;
    run.name = planned.name;
    run.digest = record.stored_digest;
    run.parameters =
        static_cast<double>(parameters == ParameterConvention::total ? planned.parameters.total()
                                                                     : planned.parameters.non_embedding());
    // A trial may end before its last step, at the loss that it was to reach.
    const std::int64_t start = counted_from(planned), done = record.result.steps_done;
    run.tokens = static_cast<double>(trial.tokens_after(done) - trial.tokens_after(start));
    run.flops = planned.flops_per_token.under(convention) * run.tokens;
    run.loss = record.result.validation_loss;
    run.budget = planned.budget;
    const study::BatchStage stage = trial.stage_after(start);
    if (start > 0 || trial.batch_schedule.empty())  // one that changed within the run is no number
        run.batch = static_cast<double>(stage.batch * trial.shape.context);
    run.steps = static_cast<double>(done - start);
    run.noise_scale = noise_scale(record);
    run.learning_rate = trial.optimizer.learning_rate * stage.learning_rate_factor;
    run.width = static_cast<double>(trial.shape.width);
    run.parametrization = std::string(study::name(trial.parametrization.kind));
    run.studies = planned.studies;
    run.family = planned.variant;
    // A trial that is longer than its text repeats it, whether or not that was its study.
    if (const std::int64_t unique =
            training_tokens > 0 ? trial.drawn_from(training_tokens) : trial.unique_tokens;
        trial.unique_tokens > 0 || (unique > 0 && unique < trial.tokens_after(done)))
        run.unique_tokens = std::min(static_cast<double>(unique), run.tokens);
    run.seed = std::to_string(trial.seed);
    run.other_parameters = {{"total", static_cast<double>(planned.parameters.total())},
                            {"non_embedding", static_cast<double>(planned.parameters.non_embedding())}};
    for (const study::FlopConvention other : study::flop_conventions)
        run.other_flops.push_back(
            {std::string(study::name(other)), planned.flops_per_token.under(other) * run.tokens});
    run.curve = validation_curve(record, convention);
    run.rates = learning_rates(record);
    run.bits_per_byte = record.result.bits_per_byte;
    return run;
}

/// That runs of [isoflop] branch from trunks, and what their luck in common means; empty where none do.
std::string shared_trunks(const std::vector<archive::TrialRecord>& trials) {
    std::vector<study::PlannedTrial> planned;
    for (const archive::TrialRecord& record : trials)
        if (reject(record).empty()) planned.push_back(record.planned);
    std::set<std::size_t> trunks;
    std::size_t branches = 0;
    for (const auto& [branch, departure] : study::departures(planned)) {
        const auto& studies = planned[branch].studies;
        if (std::find(studies.begin(), studies.end(), "isoflop") == studies.end()) continue;
        ++branches, trunks.insert(departure.trunk);
    }
    if (branches <= trunks.size()) return {};
    return std::to_string(branches) + " runs of isoflop branch from " + std::to_string(trunks.size()) +
           " trunks: those of one trunk share most of their training, and its luck. Intervals that draw runs "
           "again (joint and its rivals, overtraining) take them for independent, and are too narrow";
}

// ---- sweeps that have not ended

std::string trials(std::size_t number) {
    return std::to_string(number) + (number == 1 ? " trial" : " trials");
}

/// Nothing was read from the run folder, but perhaps damaged files.
tl::unexpected<base::Faults> nothing_finished(const std::filesystem::path& file,
                                              const archive::SoFar& so_far) {
    auto faults =
        base::fail(file.string(), "has no finished trial yet",
                   "its sweep has not ended, and is kept in " + archive::RunFolder(file).root.string(),
                   "see isogrid status, and fit when trials have ended");
    faults.value().insert(faults.value().end(), so_far.rejected.begin(), so_far.rejected.end());
    return faults;
}

std::size_t finished(const std::vector<archive::TrialRecord>& records) {
    return static_cast<std::size_t>(std::count_if(
        records.begin(), records.end(),
        [](const archive::TrialRecord& record) { return archive::is_finished(record.result.outcome); }));
}

/// Which budgets have all of their trials, and which of the others have some; empty where none is known.
std::string whole_budgets(const archive::SoFar& so_far, const std::vector<archive::TrialRecord>& records) {
    std::map<double, std::size_t> ended;
    for (const archive::TrialRecord& record : records)
        if (record.planned.budget > 0 && archive::is_finished(record.result.outcome))
            ++ended[record.planned.budget];
    std::vector<std::string> whole, begun;
    for (const auto& [budget, planned] : so_far.planned_of_budget) {
        const auto found = ended.find(budget);
        if (found == ended.end()) continue;
        const std::string flops = format_quantity(budget, Quantity::flops);
        if (found->second >= planned)
            whole.push_back(flops);
        else
            begun.push_back(flops + " (" + std::to_string(found->second) + " of " + std::to_string(planned) +
                            ")");
    }
    if (whole.empty() && begun.empty()) return {};
    return "budgets with all of their trials: " + (whole.empty() ? "none" : base::listed(whole)) +
           (begun.empty() ? "" : "; with some of them: " + base::listed(begun));
}

/// What a reader must know of runs whose sweep has not ended, and the files that could not be used.
void say_how_far(const std::filesystem::path& file, const archive::SoFar& so_far,
                 const std::vector<archive::TrialRecord>& records, Runs& runs) {
    const std::size_t ended = finished(records);
    // A trial of an earlier form of the study may be among those found.
    const bool knows_all = so_far.planned >= ended;
    runs.unfinished =
        "the sweep has not ended: " +
        (knows_all ? std::to_string(ended) + " of its " + trials(so_far.planned) : trials(ended)) +
        (ended == 1 && !knows_all ? " is" : " are") +
        " finished, and those to come may change what is fitted";
    if (const std::string budgets = whole_budgets(so_far, records); !budgets.empty())
        runs.notes.push_back(budgets);
    runs.notes.push_back("the digest is that of an archive of these trials alone, not of the one to come");
    if (!so_far.knows_study)
        runs.notes.push_back(archive::RunFolder(file).study.string() +
                             " is missing (earlier versions wrote none): budgets are taken as set in the "
                             "convention exact, and target losses of critical_batch are not known");
    for (const base::Fault& fault : so_far.rejected)
        runs.rejected.push_back({std::filesystem::path(fault.where).filename().string(),
                                 {},
                                 fault.problem + " (" + fault.why + ")"});
}

std::string newer_results(const std::filesystem::path& file, std::size_t number) {
    return archive::RunFolder(file).root.string() + " holds " + trials(number) + " finished since, which " +
           (number == 1 ? "is" : "are") + " not in the archive until its sweep has ended";
}

}  // namespace

base::Result<Runs> read_archive_runs(const ArchiveRequest& request) {
    if (std::filesystem::is_regular_file(request.file) &&
        !archive::begins_as_hdf5(request.file).value_or(true))
        return base::fail(request.file.string(), "is not an archive",
                          "it does not begin as an HDF5 file does",
                          "name an archive; a CSV is read with --csv FILE --columns ROLE=COL,..");
    auto so_far = archive::read_so_far(request.file);
    if (!so_far) return tl::unexpected(so_far.error());
    auto archive = *so_far ? base::Result<archive::Archive>(std::move((*so_far)->archive))
                           : archive::read_archive(request.file);
    if (!archive) return tl::unexpected(archive.error());
    if (*so_far && archive->trials.empty()) return nothing_finished(request.file, **so_far);

    const study::FlopConvention convention = request.flops.value_or(archive->budget_convention);
    Runs runs;
    runs.source = request.file.string();
    runs.digest = archive->digest;
    runs.conventions = {describe(request.parameters), "D: tokens trained on, counted", describe(convention),
                        "validation loss at the trial's end, nats a token",
                        "tokens a step (batches of a job file are sequences)"};
    for (const archive::TrialRecord& record : archive->trials) {
        if (const std::string reason = reject(record); !reason.empty())
            runs.rejected.push_back({record.planned.name, record.stored_digest, reason});
        else
            runs.used.push_back(
                run_of(record, request.parameters, convention, archive->corpus.training_tokens));
    }
    if (std::string shared = shared_trunks(archive->trials); !shared.empty())
        runs.notes.push_back(std::move(shared));
    runs.target_losses = target_losses(archive->job_text);
    if (archive->trials.empty())
        return base::fail(runs.source, "no trials", "the archive is empty", "run the study first");
    if (convention != archive->budget_convention)
        runs.notes.push_back("budgets were set in the convention " +
                             std::string(study::name(archive->budget_convention)) + "; C is counted as " +
                             std::string(study::name(convention)));
    if (*so_far)
        say_how_far(request.file, **so_far, archive->trials, runs);
    else if (const std::size_t newer = archive::results_not_in(*archive, request.file); newer > 0)
        runs.notes.push_back(newer_results(request.file, newer));
    drop_highest_loss(runs, request.drop_highest_loss);
    return runs;
}

}  // namespace isogrid::analysis
