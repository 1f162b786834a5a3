// A trained model in the layout of Hugging Face's LlamaForCausalLM: config.json and model.safetensors.
#pragma once

#include <filesystem>
#include <span>

#include "base/fault.hpp"
#include "study/trial.hpp"

namespace isogrid::model {

/// Writes `folder`/config.json and `folder`/model.safetensors (float32), making the folder if needed. The
/// multipliers of the parametrization are folded into the weights, so that plain Llama code computes the same
/// losses: the embedding's into the embedding, attention's into q, the logits' into the head. `weights` has
/// the layout of graph::lay_out_parameters for this shape. A file is written under a temporary name and
/// renamed when complete.
base::Result<void> export_llama(const study::Shape& shape, const study::Parametrization& parametrization,
                                std::span<const float> weights, const std::filesystem::path& folder);

}  // namespace isogrid::model
