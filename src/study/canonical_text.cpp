// The canonical text of a trial, from which its identity follows, and the way back.
#include <array>
#include <cassert>
#include <cmath>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "base/digest.hpp"
#include "base/names.hpp"
#include "study/specification_scanner.hpp"
#include "study/trial.hpp"

namespace isogrid::study {

namespace {

using nlohmann::json;  // an ordered map: keys come out sorted

template <class Value, std::size_t count>
Value value_of(const json& text, const std::array<Value, count>& values) {
    const auto& word = text.get_ref<const std::string&>();
    if (const auto value = base::value_named(word, values)) return *value;
    throw std::invalid_argument("trial specification: \"" + word + "\" is no known choice");
}

/// A whole number that int64 holds; nlohmann would convert 1e40 to one as well, to nobody knows which.
std::int64_t whole(const json& number) {
    if (number.is_number_integer()) return number.get<std::int64_t>();
    throw std::invalid_argument("trial specification: " + number.dump() + " is no whole number");
}

std::int64_t whole_or_0(const json& text, const char* key) {
    return text.contains(key) ? whole(text.at(key)) : 0;
}

json to_json(const Shape& shape) {
    return {{"width", shape.width},         {"depth", shape.depth},           {"heads", shape.heads},
            {"mlp_width", shape.mlp_width}, {"vocabulary", shape.vocabulary}, {"context", shape.context},
            {"tied_head", shape.tied_head}};
}

Shape shape_from(const json& text) {
    return {.width = whole(text.at("width")),
            .depth = whole(text.at("depth")),
            .heads = whole(text.at("heads")),
            .mlp_width = whole(text.at("mlp_width")),
            .vocabulary = whole(text.at("vocabulary")),
            .context = whole(text.at("context")),
            .tied_head = text.at("tied_head")};
}

json to_json(const Parametrization& parametrization) {
    json text = {{"kind", name(parametrization.kind)},
                 {"base_width", parametrization.base_width},
                 {"initial_deviation", parametrization.initial_deviation},
                 {"embedding_multiplier", parametrization.embedding_multiplier},
                 {"attention_multiplier", parametrization.attention_multiplier},
                 {"output_multiplier", parametrization.output_multiplier}};
    if (parametrization.residual_multiplier != Parametrization{}.residual_multiplier)
        text["residual_multiplier"] = parametrization.residual_multiplier;
    return text;
}

Parametrization parametrization_from(const json& text) {
    return {.kind = value_of(text.at("kind"), parametrization_kinds),
            .base_width = whole(text.at("base_width")),
            .initial_deviation = text.at("initial_deviation"),
            .embedding_multiplier = text.at("embedding_multiplier"),
            .attention_multiplier = text.at("attention_multiplier"),
            .output_multiplier = text.at("output_multiplier"),
            .residual_multiplier = text.value("residual_multiplier", Parametrization{}.residual_multiplier)};
}

json to_json(const Optimizer& optimizer) {
    return {{"learning_rate", optimizer.learning_rate},
            {"beta1", optimizer.beta1},
            {"beta2", optimizer.beta2},
            {"epsilon", optimizer.epsilon},
            {"weight_decay", optimizer.weight_decay},
            {"gradient_clip", optimizer.gradient_clip}};
}

Optimizer optimizer_from(const json& text) {
    return {.learning_rate = text.at("learning_rate"),
            .beta1 = text.at("beta1"),
            .beta2 = text.at("beta2"),
            .epsilon = text.at("epsilon"),
            .weight_decay = text.at("weight_decay"),
            .gradient_clip = text.at("gradient_clip")};
}

json to_json(const Schedule& schedule) {
    json text = {{"kind", name(schedule.kind)},
                 {"warmup_steps", schedule.warmup_steps},
                 {"decay_steps", schedule.decay_steps},
                 {"final_fraction", schedule.final_fraction}};
    if (schedule.decay != DecayForm::linear) text["decay"] = name(schedule.decay);
    if (schedule.horizon_steps != 0) text["horizon_steps"] = schedule.horizon_steps;
    return text;
}

Schedule schedule_from(const json& text) {
    return {.kind = value_of(text.at("kind"), schedule_kinds),
            .warmup_steps = whole(text.at("warmup_steps")),
            .decay_steps = whole(text.at("decay_steps")),
            .final_fraction = text.at("final_fraction"),
            .decay = text.contains("decay") ? value_of(text.at("decay"), decay_forms) : DecayForm::linear,
            .horizon_steps = whole_or_0(text, "horizon_steps")};
}

json to_json(const Evaluation& evaluation) {
    json text = {{"tokens", evaluation.tokens}, {"steps", evaluation.steps}};
    if (evaluation.sample != EvaluationSample::first) text["sample"] = name(evaluation.sample);
    return text;
}

json to_json(const std::vector<BatchStage>& stages) {
    json text = json::array();
    for (const BatchStage& stage : stages)
        text.push_back({{"step", stage.step},
                        {"batch", stage.batch},
                        {"learning_rate_factor", stage.learning_rate_factor}});
    return text;
}

std::vector<BatchStage> stages_from(const json& text) {
    std::vector<BatchStage> stages;
    for (const json& stage : text)
        stages.push_back({.step = whole(stage.at("step")),
                          .batch = whole(stage.at("batch")),
                          .learning_rate_factor = stage.at("learning_rate_factor")});
    return stages;
}

std::vector<std::int64_t> steps_from(const json& text) {
    std::vector<std::int64_t> steps;
    for (const json& step : text)
        steps.push_back(whole(step));
    return steps;
}

Evaluation evaluation_from(const json& text) {
    return {.tokens = whole(text.at("tokens")),
            .steps = steps_from(text.at("steps")),
            .sample = text.contains("sample") ? value_of(text.at("sample"), evaluation_samples)
                                              : EvaluationSample::first};
}

Trial trial_from(const json& text) {
    return {.numerics = static_cast<int>(whole(text.at("numerics_version"))),
            .shape = shape_from(text.at("shape")),
            .parametrization = parametrization_from(text.at("parametrization")),
            .optimizer = optimizer_from(text.at("optimizer")),
            .schedule = schedule_from(text.at("schedule")),
            .evaluation = evaluation_from(text.at("evaluation")),
            .precision = value_of(text.at("precision"), precisions),
            .batch = whole(text.at("batch")),
            .batch_schedule = stages_from(text.value("batch_schedule", json::array())),
            .leaves = whole(text.at("leaves")),
            .gradient_sum = text.contains("gradient_sum") ? value_of(text.at("gradient_sum"), gradient_sums)
                                                          : GradientSum::tree,
            .steps = whole(text.at("steps")),
            .seed = static_cast<std::uint64_t>(whole(text.at("seed"))),
            .token_digest = text.at("token_digest"),
            .unique_tokens = whole_or_0(text, "unique_tokens"),
            .stop_loss = text.value("stop_loss", 0.0)};
}

}  // namespace

std::string canonical_text(const Trial& trial) {
    assert(std::isfinite(trial.optimizer.learning_rate));  // JSON has no word for anything else
    json text = {
        {"numerics_version", trial.numerics},
        {"shape", to_json(trial.shape)},
        {"parametrization", to_json(trial.parametrization)},
        {"optimizer", to_json(trial.optimizer)},
        {"schedule", to_json(trial.schedule)},
        {"evaluation", to_json(trial.evaluation)},
        {"precision", name(trial.precision)},
        {"batch", trial.batch},
        {"leaves", trial.leaves},
        {"steps", trial.steps},
        {"seed", trial.seed},
        {"token_digest", trial.token_digest},
    };
    if (!trial.batch_schedule.empty()) text["batch_schedule"] = to_json(trial.batch_schedule);
    if (trial.gradient_sum != GradientSum::tree) text["gradient_sum"] = name(trial.gradient_sum);
    if (trial.unique_tokens != 0) text["unique_tokens"] = trial.unique_tokens;
    if (trial.stop_loss != 0) text["stop_loss"] = trial.stop_loss;
    return text.dump();
}

Trial parse_canonical_text(std::string_view text) {
    if (auto scanned = scan_canonical_text(text); scanned && canonical_text(*scanned) == text)
        return *scanned;
    Trial trial;
    try {
        const json parsed = json::parse(text);
        const std::int64_t version = whole(parsed.at("numerics_version"));
        if (version > numerics_version) {
            throw std::invalid_argument("trial specification has numerics version " +
                                        std::to_string(version) + " (this program knows none after " +
                                        std::to_string(numerics_version) + ")");
        }
        trial = trial_from(parsed);
    } catch (const json::exception& error) {
        throw std::invalid_argument(std::string("trial specification cannot be read (") + error.what() + ")");
    }
    // Further keys, other spacing or other spellings of a number would not survive the way back.
    if (canonical_text(trial) != text) {
        throw std::invalid_argument("trial specification is not in canonical form");
    }
    return trial;
}

std::string identity(const Trial& trial) {
    return base::sha256(canonical_text(trial));
}

}  // namespace isogrid::study
