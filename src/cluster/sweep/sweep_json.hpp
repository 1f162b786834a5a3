// A sweep's state as JSON: in progress.json, and in what `isogrid status --json` prints.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cluster/sweep/sweep_state.hpp"

namespace isogrid::cluster {

nlohmann::ordered_json to_json(const SweepState& state);

/// Inverse of to_json; throws nlohmann::json::exception on anything else.
SweepState sweep_state_from(const nlohmann::ordered_json& json);

}  // namespace isogrid::cluster
