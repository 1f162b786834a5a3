// An exported model, read back and run without any multiplier, computes the same losses.
#include "model/export.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "model/small_model.hpp"

namespace isogrid::tests {
namespace {

struct SafeTensors {
    nlohmann::json header;
    std::string data;
};

SafeTensors read_safetensors(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string all((std::istreambuf_iterator<char>(in)), {});
    std::uint64_t length = 0;
    std::memcpy(&length, all.data(), 8);
    return {nlohmann::json::parse(all.substr(8, length)), all.substr(8 + length)};
}

/// The weights one tensor after the other, without the layout's gaps: the form that archives keep.
std::vector<float> pack(const graph::ParameterLayout& layout, std::span<const float> weights) {
    std::vector<float> packed;
    graph::for_each_tensor(layout, [&](std::size_t, std::size_t laid_first, std::size_t size) {
        const std::span<const float> tensor = weights.subspan(laid_first, size);
        packed.insert(packed.end(), tensor.begin(), tensor.end());
    });
    return packed;
}

class Export : public testing::TestWithParam<bool> {};

TEST_P(Export, foldsEveryMultiplierIntoTheWeights) {
    const std::filesystem::path folder =
        std::filesystem::path(testing::TempDir()) / (GetParam() ? "export_tied" : "export_untied");
    const study::Shape shape = small_shape(GetParam());
    study::Parametrization mup;
    mup.base_width = 8;
    mup.initial_deviation = 0.3;
    mup.embedding_multiplier = 2;
    mup.output_multiplier = 3;
    mup.attention_multiplier = 1.5;
    const model::Llama ours = model::build_forward(shape, mup, study::Precision::float32, small_batch);
    const graph::ParameterLayout layout = graph::lay_out_parameters(ours.graph);
    const std::vector<float> weights = model::initial_weights(ours.roles, layout, shape, mup, 3);
    ASSERT_TRUE(model::export_llama(shape, mup, pack(layout, weights), folder));

    // Plain Llama: standard parametrization, every multiplier one, and a head of its own.
    study::Parametrization plain;
    plain.kind = study::ParametrizationKind::standard;
    const model::Llama theirs =
        model::build_forward(small_shape(false), plain, study::Precision::float32, small_batch);
    const graph::ParameterLayout their_layout = graph::lay_out_parameters(theirs.graph);
    std::vector<float> their_weights(static_cast<std::size_t>(their_layout.floats), 0.0f);
    const SafeTensors file = read_safetensors(folder / "model.safetensors");
    for (std::size_t i = 0; i < their_layout.sizes.size(); ++i) {
        const auto& entry = file.header.at(theirs.graph.tensor(theirs.graph.parameters()[i]).name);
        const std::size_t begin = entry.at("data_offsets")[0], end = entry.at("data_offsets")[1];
        ASSERT_EQ(end - begin, static_cast<std::size_t>(their_layout.sizes[i]) * 4);
        std::memcpy(their_weights.data() + their_layout.offsets[i], file.data.data() + begin, end - begin);
    }
    // Two float32 evaluations of 12 losses near 4 nats that round differently in a few products each.
    EXPECT_NEAR(small_loss(theirs, their_weights), small_loss(ours, weights), 12 * 4 * 1e-6);
}

TEST_P(Export, describesTheModelForHuggingFace) {
    const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "export_config";
    const study::Shape shape = small_shape(GetParam());
    const model::Llama ours = model::build_forward(shape, {}, study::Precision::float32, 1);
    const graph::ParameterLayout layout = graph::lay_out_parameters(ours.graph);
    const std::vector<float> weights = model::initial_weights(ours.roles, layout, shape, {}, 3);
    ASSERT_TRUE(model::export_llama(shape, {}, pack(layout, weights), folder));
    std::ifstream in(folder / "config.json");
    const auto config = nlohmann::json::parse(in);
    EXPECT_EQ(config.at("architectures")[0], "LlamaForCausalLM");
    EXPECT_EQ(config.at("hidden_size"), shape.width);
    EXPECT_EQ(config.at("intermediate_size"), shape.mlp_width);
    EXPECT_EQ(config.at("num_hidden_layers"), shape.depth);
    EXPECT_EQ(config.at("num_attention_heads"), shape.heads);
    EXPECT_EQ(config.at("vocab_size"), shape.vocabulary);
    EXPECT_FALSE(config.at("tie_word_embeddings"));
}

INSTANTIATE_TEST_SUITE_P(Heads, Export, testing::Bool(),
                         [](const auto& info) { return info.param ? "tied" : "untied"; });

TEST(ExportFaults, anUnusableFolderIsNamed) {
    const auto result = model::export_llama(small_shape(), {}, {}, "/dev/null/model");
    ASSERT_FALSE(result);
    EXPECT_NE(base::to_string(result.error()).find("/dev/null/model"), std::string::npos);
}

}  // namespace
}  // namespace isogrid::tests
