// The canonical text of a trial, from which its identity follows, and the way back.
#include "study/trial.hpp"

#include <cassert>
#include <cmath>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "study/digest.hpp"
#include "study/names.hpp"
#include "study/specification_scanner.hpp"

namespace isogrid::study {

namespace {

using nlohmann::json;  // an ordered map: keys come out sorted

template <class Value, std::size_t count>
Value value_of(const json& text, const std::array<Value, count>& values) {
    const auto& word = text.get_ref<const std::string&>();
    if (const auto value = value_named(word, values)) return *value;
    throw std::invalid_argument("trial specification: \"" + word + "\" is no known choice");
}

json to_json(const Shape& shape) {
    return {{"width", shape.width},         {"depth", shape.depth},           {"heads", shape.heads},
            {"mlp_width", shape.mlp_width}, {"vocabulary", shape.vocabulary}, {"context", shape.context},
            {"tied_head", shape.tied_head}};
}

Shape shape_from(const json& text) {
    return {.width = text.at("width"),
            .depth = text.at("depth"),
            .heads = text.at("heads"),
            .mlp_width = text.at("mlp_width"),
            .vocabulary = text.at("vocabulary"),
            .context = text.at("context"),
            .tied_head = text.at("tied_head")};
}

json to_json(const Parametrization& parametrization) {
    return {{"kind", name(parametrization.kind)},
            {"base_width", parametrization.base_width},
            {"initial_deviation", parametrization.initial_deviation},
            {"embedding_multiplier", parametrization.embedding_multiplier},
            {"attention_multiplier", parametrization.attention_multiplier},
            {"output_multiplier", parametrization.output_multiplier}};
}

Parametrization parametrization_from(const json& text) {
    return {.kind = value_of(text.at("kind"), parametrization_kinds),
            .base_width = text.at("base_width"),
            .initial_deviation = text.at("initial_deviation"),
            .embedding_multiplier = text.at("embedding_multiplier"),
            .attention_multiplier = text.at("attention_multiplier"),
            .output_multiplier = text.at("output_multiplier")};
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
    return {{"kind", name(schedule.kind)},
            {"warmup_steps", schedule.warmup_steps},
            {"decay_steps", schedule.decay_steps},
            {"final_fraction", schedule.final_fraction}};
}

Schedule schedule_from(const json& text) {
    return {.kind = value_of(text.at("kind"), schedule_kinds),
            .warmup_steps = text.at("warmup_steps"),
            .decay_steps = text.at("decay_steps"),
            .final_fraction = text.at("final_fraction")};
}

Trial trial_from(const json& text) {
    return {.numerics = text.at("numerics_version"),
            .shape = shape_from(text.at("shape")),
            .parametrization = parametrization_from(text.at("parametrization")),
            .optimizer = optimizer_from(text.at("optimizer")),
            .schedule = schedule_from(text.at("schedule")),
            .evaluation = {.tokens = text.at("evaluation").at("tokens"),
                           .steps = text.at("evaluation").at("steps")},
            .precision = value_of(text.at("precision"), precisions),
            .batch = text.at("batch"),
            .leaves = text.at("leaves"),
            .steps = text.at("steps"),
            .seed = text.at("seed"),
            .token_digest = text.at("token_digest")};
}

}  // namespace

std::string_view name(ParametrizationKind kind) {
    switch (kind) {
        case ParametrizationKind::standard:
            return "standard";
        case ParametrizationKind::mup:
            return "mup";
    }
    throw std::invalid_argument("no such parametrization");
}

std::string_view name(ScheduleKind kind) {
    switch (kind) {
        case ScheduleKind::constant:
            return "constant";
        case ScheduleKind::cosine:
            return "cosine";
        case ScheduleKind::linear:
            return "linear";
        case ScheduleKind::warmup_stable_decay:
            return "warmup_stable_decay";
    }
    throw std::invalid_argument("no such schedule");
}

std::string_view name(Precision precision) {
    switch (precision) {
        case Precision::float32:
            return "float32";
        case Precision::bfloat16:
            return "bfloat16";
    }
    throw std::invalid_argument("no such precision");
}

std::string canonical_text(const Trial& trial) {
    assert(std::isfinite(trial.optimizer.learning_rate));  // JSON has no word for anything else
    const json text = {
        {"numerics_version", trial.numerics},
        {"shape", to_json(trial.shape)},
        {"parametrization", to_json(trial.parametrization)},
        {"optimizer", to_json(trial.optimizer)},
        {"schedule", to_json(trial.schedule)},
        {"evaluation", {{"tokens", trial.evaluation.tokens}, {"steps", trial.evaluation.steps}}},
        {"precision", name(trial.precision)},
        {"batch", trial.batch},
        {"leaves", trial.leaves},
        {"steps", trial.steps},
        {"seed", trial.seed},
        {"token_digest", trial.token_digest},
    };
    return text.dump();
}

Trial parse_canonical_text(std::string_view text) {
    if (auto scanned = scan_canonical_text(text); scanned && canonical_text(*scanned) == text)
        return *scanned;
    Trial trial;
    try {
        const json parsed = json::parse(text);
        const int version = parsed.at("numerics_version");
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
    return sha256(canonical_text(trial));
}

}  // namespace isogrid::study
