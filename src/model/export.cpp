#include "model/export.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "files/new_file.hpp"
#include "model/llama.hpp"

namespace isogrid::model {
namespace {

using json = nlohmann::ordered_json;

struct NamedTensor {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
};
using NamedTensors = std::map<std::string, NamedTensor>;

/// What plain Llama code does not multiply by must be in the weights.
double folded_factor(std::string_view name, const study::Shape& shape,
                     const study::Parametrization& parametrization) {
    if (name == "model.embed_tokens.weight") return parametrization.embedding_multiplier;
    if (name == "lm_head.weight") return logit_scale(shape, parametrization);
    if (name.ends_with("q_proj.weight")) return parametrization.attention_multiplier;
    return 1;
}

NamedTensor scaled(const graph::Tensor& tensor, std::span<const float> values, double factor) {
    const bool is_vector = tensor.rows == 1;
    NamedTensor out{is_vector ? std::vector{tensor.columns} : std::vector{tensor.rows, tensor.columns}, {}};
    out.values.reserve(values.size());
    for (const float value : values)
        out.values.push_back(static_cast<float>(factor * value));
    return out;
}

NamedTensors fold(const study::Shape& shape, const study::Parametrization& parametrization,
                  std::span<const float> weights) {
    const Llama model = build_forward(shape, parametrization, study::Precision::float32, 1);
    NamedTensors tensors;
    std::size_t offset = 0;
    for (const graph::TensorId parameter : model.graph.parameters()) {
        const graph::Tensor& tensor = model.graph.tensor(parameter);
        const auto values = weights.subspan(offset, static_cast<std::size_t>(tensor.size()));
        offset += values.size();
        tensors[tensor.name] = scaled(tensor, values, folded_factor(tensor.name, shape, parametrization));
        // A tied head has its own multiplier, so that once folded it is no longer the embedding's matrix.
        if (shape.tied_head && tensor.name == "model.embed_tokens.weight")
            tensors["lm_head.weight"] = scaled(tensor, values, logit_scale(shape, parametrization));
    }
    return tensors;
}

std::string config_text(const study::Shape& shape) {
    const json config = {{"architectures", {"LlamaForCausalLM"}},
                         {"model_type", "llama"},
                         {"hidden_size", shape.width},
                         {"intermediate_size", shape.mlp_width},
                         {"num_hidden_layers", shape.depth},
                         {"num_attention_heads", shape.heads},
                         {"num_key_value_heads", shape.heads},
                         {"vocab_size", shape.vocabulary},
                         {"max_position_embeddings", shape.context},
                         {"hidden_act", "silu"},
                         {"rms_norm_eps", static_cast<double>(1e-5)},
                         {"rope_theta", rotary_theta},
                         {"attention_bias", false},
                         {"mlp_bias", false},
                         {"tie_word_embeddings", false},
                         {"torch_dtype", "float32"},
                         {"bos_token_id", nullptr},
                         {"eos_token_id", nullptr}};
    return config.dump(2) + "\n";
}

/// The safetensors format: the header's length (64 bits, little-endian), a JSON header, the tensors' bytes.
std::string safetensors_header(const NamedTensors& tensors) {
    json header = {{"__metadata__", {{"format", "pt"}}}};
    std::size_t offset = 0;
    for (const auto& [name, tensor] : tensors) {
        const std::size_t end = offset + tensor.values.size() * sizeof(float);
        header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
        offset = end;
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');  // the format asks for tensors aligned to 8 bytes
    return text;
}

base::Result<void> write_tensors(const std::filesystem::path& path, const NamedTensors& tensors) {
    auto file = files::NewFile::create(path);
    if (!file) return tl::unexpected(file.error());
    const std::string header = safetensors_header(tensors);
    std::string length;
    for (int byte = 0; byte < 8; ++byte)
        length += static_cast<char>(header.size() >> (8 * byte) & 0xff);
    file->write(length + header);
    for (const auto& [name, tensor] : tensors)
        file->write(std::as_bytes(std::span(tensor.values)));
    file->commit();
    return {};
}

base::Result<void> write_text(const std::filesystem::path& path, const std::string& text) {
    auto file = files::NewFile::create(path);
    if (!file) return tl::unexpected(file.error());
    file->write(text);
    file->commit();
    return {};
}

}  // namespace

base::Result<void> export_llama(const study::Shape& shape, const study::Parametrization& parametrization,
                                std::span<const float> weights, const std::filesystem::path& folder) {
    std::error_code error;
    const bool made = std::filesystem::create_directories(folder, error);
    if (error) return base::fail(folder.string(), "cannot be made", error.message(), "choose another --to");
    try {
        const auto written =
            write_tensors(folder / "model.safetensors", fold(shape, parametrization, weights));
        return written ? write_text(folder / "config.json", config_text(shape)) : written;
    } catch (...) {
        if (made) std::filesystem::remove(folder, error);  // where nothing came into it
        throw;
    }
}

}  // namespace isogrid::model
