// Runs from an isogrid archive.
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "analysis/runs.hpp"
#include "archive/archive.hpp"

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

/// The trial's validation curve; where an evaluation and the compute spent are both known.
std::vector<CurveSample> validation_curve(const archive::TrialRecord& record,
                                          study::FlopConvention convention) {
    const double flops_per_token = record.planned.flops_per_token.under(convention);
    std::vector<CurveSample> curve;
    for (const archive::CurvePoint& point : record.result.curve) {
        const auto tokens = static_cast<double>(point.tokens);
        if (std::isfinite(point.validation_loss) && point.tokens > 0)
            curve.push_back({tokens, tokens * flops_per_token, point.validation_loss,
                             static_cast<double>(point.step), point.learning_rate});
    }
    return curve;
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

}  // namespace

study::Result<Runs> read_archive_runs(const ArchiveRequest& request) {
    std::array<char, 6> start{};
    std::ifstream(request.file, std::ios::binary).read(start.data(), start.size());
    if (std::filesystem::is_regular_file(request.file) &&
        std::string_view(start.data(), start.size()) != "\x89HDF\r\n")
        return study::fail(request.file.string(), "is not an archive",
                           "it does not begin as an HDF5 file does",
                           "name an archive; a CSV is read with --csv FILE --columns ROLE=COL,..");
    const auto archive = archive::read_archive(request.file, /*keep_weights=*/false);
    if (!archive) return tl::unexpected(archive.error());

    const study::FlopConvention convention = request.flops.value_or(archive->budget_convention);
    Runs runs;
    runs.source = request.file.string();
    runs.digest = archive->digest;
    runs.conventions = {describe(request.parameters), "D: tokens trained on, counted", describe(convention),
                        "validation loss at the trial's end, nats a token"};
    for (const archive::TrialRecord& record : archive->trials) {
        const study::PlannedTrial& planned = record.planned;
        const std::string& digest = record.stored_digest;
        if (const std::string reason = reject(record); !reason.empty()) {
            runs.rejected.push_back({planned.name, digest, reason});
            continue;
        }
        Run run;
        run.name = planned.name;
        run.digest = digest;
        run.parameters = static_cast<double>(request.parameters == ParameterConvention::total
                                                 ? planned.parameters.total()
                                                 : planned.parameters.non_embedding());
        run.tokens = static_cast<double>(planned.trial.tokens());
        run.flops = planned.flops(convention);
        run.loss = record.result.validation_loss;
        run.budget = planned.budget;
        run.batch = static_cast<double>(planned.trial.tokens_per_step());
        run.steps = static_cast<double>(planned.trial.steps);
        run.learning_rate = planned.trial.optimizer.learning_rate;
        run.width = static_cast<double>(planned.trial.shape.width);
        run.parametrization = std::string(study::name(planned.trial.parametrization.kind));
        run.seed = std::to_string(planned.trial.seed);
        run.other_parameters = {{"total", static_cast<double>(planned.parameters.total())},
                                {"non_embedding", static_cast<double>(planned.parameters.non_embedding())}};
        for (const study::FlopConvention other : study::flop_conventions)
            run.other_flops.push_back({std::string(study::name(other)), planned.flops(other)});
        run.curve = validation_curve(record, convention);
        run.bits_per_byte = record.result.bits_per_byte;
        runs.used.push_back(std::move(run));
    }
    if (archive->trials.empty())
        return study::fail(runs.source, "no trials", "the archive is empty", "run the study first");
    if (convention != archive->budget_convention)
        runs.notes.push_back("budgets were set in the convention " +
                             std::string(study::name(archive->budget_convention)) + "; C is counted as " +
                             std::string(study::name(convention)));
    drop_highest_loss(runs, request.drop_highest_loss);
    return runs;
}

}  // namespace isogrid::analysis
