#include "archive/record_rows.hpp"

#include <sstream>

#include "base/digest.hpp"

namespace isogrid::archive {

namespace {

struct NoiseColumns {
    std::string_view signal, variance;
};

/// By ParameterGroup.
constexpr std::array<NoiseColumns, study::parameter_groups.size()> noise_columns = {{
    {"gradient_signal_embedding", "gradient_variance_embedding"},
    {"gradient_signal_head", "gradient_variance_head"},
    {"gradient_signal_attention", "gradient_variance_attention"},
    {"gradient_signal_mlp", "gradient_variance_mlp"},
    {"gradient_signal_norm", "gradient_variance_norm"},
}};

void add_columns(Row& row, const NoiseColumns& names, GradientNoise& noise) {
    row.push_back({names.signal, &noise.signal, /*optional=*/true});
    row.push_back({names.variance, &noise.variance, /*optional=*/true});
}

}  // namespace

std::string joined(const std::vector<std::string>& studies) {
    std::string text;
    for (const std::string& study : studies)
        text += (text.empty() ? "" : ",") + study;
    return text;
}

std::vector<std::string> split(const std::string& studies) {
    std::vector<std::string> names;
    std::istringstream stream(studies);
    for (std::string name; std::getline(stream, name, ',');)
        names.push_back(name);
    return names;
}

Row columns_of(TrialRow& row) {
    study::Trial& trial = row.planned.trial;
    study::ParameterCounts& parameters = row.planned.parameters;
    study::FlopsPerToken& flops = row.planned.flops_per_token;
    return {{"index", &row.index},
            {"name", &row.planned.name},
            {"id", &row.id},
            {"budget", &row.planned.budget},
            {"studies", &row.studies, /*optional=*/true},
            {"variant", &row.planned.variant, /*optional=*/true},
            {"width", &trial.shape.width},
            {"depth", &trial.shape.depth},
            {"heads", &trial.shape.heads},
            {"mlp_width", &trial.shape.mlp_width},
            {"vocabulary", &trial.shape.vocabulary},
            {"context", &trial.shape.context},
            {"tied_head", &row.tied_head},
            {"parameters_embedding", &parameters.embedding},
            {"parameters_head", &parameters.head},
            {"parameters_attention", &parameters.attention},
            {"parameters_mlp", &parameters.mlp},
            {"parameters_norm", &parameters.norm},
            {"flops_per_token_six_n", &flops.six_n},
            {"flops_per_token_matmul", &flops.matmul},
            {"flops_per_token_attention", &flops.attention},
            {"flops_per_token_exact", &flops.exact},
            {"learning_rate", &trial.optimizer.learning_rate},
            {"batch", &trial.batch},
            {"leaves", &trial.leaves},
            {"steps", &trial.steps},
            {"tokens", &row.tokens},
            {"outcome", &row.outcome},
            {"cause", &row.result.cause},
            {"steps_done", &row.result.steps_done},
            {"training_loss", &row.result.training_loss},
            {"validation_loss", &row.result.validation_loss},
            {"bits_per_byte", &row.result.bits_per_byte},
            {"curve_offset", &row.curve.offset},
            {"curve_length", &row.curve.length},
            {"weights_offset", &row.weights.offset},
            {"weights_length", &row.weights.length},
            {"weights_digest", &row.result.weights_digest},
            {"digest", &row.digest}};
}

Row columns_of(CurvePoint& point) {
    Row row = {{"step", &point.step},
               {"tokens", &point.tokens},
               {"flops", &point.flops},
               {"training_loss", &point.training_loss},
               {"validation_loss", &point.validation_loss},
               {"learning_rate", &point.learning_rate},
               {"gradient_norm", &point.gradient_norm}};
    add_columns(row, {"gradient_signal", "gradient_variance"}, point.noise);
    for (std::size_t group = 0; group < noise_columns.size(); ++group)
        add_columns(row, noise_columns[group], point.noise_of_group[group]);
    return row;
}

Row columns_of(TrialProvenance& provenance) {
    return {{"host", &provenance.host},
            {"processor", &provenance.processor},
            {"instruction_set", &provenance.instruction_set},
            {"code_revision", &provenance.code_revision},
            {"slurm_job", &provenance.slurm_job},
            {"slurm_restarts", &provenance.slurm_restarts},
            {"ranks", &provenance.ranks},
            {"started_unix", &provenance.started_unix},
            {"seconds", &provenance.seconds},
            {"tokens_per_second", &provenance.tokens_per_second}};
}

PreparedRecord prepare(const TrialRecord& record, std::string specification) {
    PreparedRecord prepared{&record, std::move(specification), {}, {}};
    prepared.id = base::sha256(prepared.specification);
    prepared.digest = digest(record, prepared.specification);
    return prepared;
}

PreparedRecord prepare(const TrialRecord& record) {
    return prepare(record, study::canonical_text(record.planned.trial));
}

TrialRow row_of(const PreparedRecord& prepared) {
    const TrialRecord& record = *prepared.record;
    const study::Trial& trial = record.planned.trial;
    const TrialResult& result = record.result;
    return {.index = record.index,
            .planned = record.planned,
            .tied_head = trial.shape.tied_head ? 1 : 0,
            .tokens = trial.tokens(),
            .studies = joined(record.planned.studies),
            .outcome = std::string(name(result.outcome)),
            .result = {.outcome = result.outcome,
                       .cause = result.cause,
                       .steps_done = result.steps_done,
                       .curve = {},
                       .training_loss = result.training_loss,
                       .validation_loss = result.validation_loss,
                       .bits_per_byte = result.bits_per_byte,
                       .weights_digest = result.weights_digest,
                       .weights = {}},
            .curve = {},
            .weights = {},
            .id = prepared.id,
            .digest = prepared.digest};
}

}  // namespace isogrid::archive
