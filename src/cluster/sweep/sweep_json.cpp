#include "cluster/sweep/sweep_json.hpp"

#include <nlohmann/json.hpp>

namespace isogrid::cluster {

namespace {

using Json = nlohmann::ordered_json;

Json or_null(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

std::optional<double> optional_number(const Json& json) {
    return json.is_null() ? std::nullopt : std::optional(json.get<double>());
}

}  // namespace

Json to_json(const SweepState& state) {
    Json running = Json::array(), failed = Json::array();
    for (const RunningTrial& trial : state.running)
        running.push_back({{"name", trial.name},
                           {"ranks", trial.ranks},
                           {"steps_done", trial.steps_done},
                           {"steps", trial.steps},
                           {"tokens_per_second", trial.tokens_per_second}});
    for (const FailedTrial& trial : state.failed)
        failed.push_back({{"name", trial.name}, {"outcome", trial.outcome}, {"cause", trial.cause}});
    return {{"study", state.study},
            {"trials", state.trials},
            {"done", state.done},
            {"diverged", state.diverged},
            {"workers", state.workers},
            {"running", running},
            {"failed", failed},
            {"hosts_set_aside", state.set_aside},
            {"tokens_per_second", state.tokens_per_second},
            {"remaining_rank_seconds", or_null(state.remaining_rank_seconds)},
            {"remaining_seconds", or_null(state.remaining_seconds)}};
}

SweepState sweep_state_from(const Json& json) {
    SweepState state;
    state.study = json.at("study");
    state.trials = json.at("trials");
    state.done = json.at("done");
    state.diverged = json.at("diverged");
    state.workers = json.at("workers");
    for (const Json& trial : json.at("running"))
        state.running.push_back({.name = trial.at("name"),
                                 .ranks = trial.at("ranks"),
                                 .steps_done = trial.at("steps_done"),
                                 .steps = trial.at("steps"),
                                 .tokens_per_second = trial.at("tokens_per_second")});
    for (const Json& trial : json.at("failed"))
        state.failed.push_back(
            {.name = trial.at("name"), .outcome = trial.at("outcome"), .cause = trial.at("cause")});
    state.set_aside = json.value("hosts_set_aside", std::vector<std::string>());  // files before it had none
    state.tokens_per_second = json.at("tokens_per_second");
    state.remaining_rank_seconds = optional_number(json.at("remaining_rank_seconds"));
    state.remaining_seconds = optional_number(json.at("remaining_seconds"));
    return state;
}

}  // namespace isogrid::cluster
