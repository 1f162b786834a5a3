#include "verbs/job.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include "base/wording.hpp"
#include "cluster/site/processor.hpp"
#include "data/token_file.hpp"
#include "model/llama.hpp"

namespace isogrid::verbs {

namespace {

base::Result<study::CorpusFacts> read_corpus(const std::filesystem::path& token_file) {
    return data::TokenFile::open(token_file).map([](const data::TokenFile& file) {
        const data::TokenFileHeader& header = file.header();
        return study::CorpusFacts{header.vocabulary, header.training_tokens, header.validation_tokens,
                                  header.digest, header.tokenizer};
    });
}

}  // namespace

base::Result<study::Study> read_job(const options::variables_map& given) {
    std::optional<double> scale;
    if (given.contains("scale")) scale = given["scale"].as<double>();
    if (scale && !(*scale >= 1e-6 && *scale <= 1e6))
        return base::fail("", "--scale is " + base::as_written(*scale), "the range is 1e-06 to 1e+06",
                          "write for example --scale 0.01");
    return study::read_study(text(given, "JOB"), read_corpus, model::exact_flops_per_token, scale);
}

void add_scale(Verb& verb) {
    verb.described.add_options()(
        "scale", options::value<double>(),
        "multiply all budgets and token counts by this, as study.scale in the job would (0.01: a first try)");
}

void add_isa(Verb& verb) {
    const std::string words = "instruction set to compute with: " + cluster::instruction_set_words() +
                              " (the best that all ranks have)";
    verb.described.add_options()("isa", options::value<std::string>()->default_value("auto"), words.c_str());
}

}  // namespace isogrid::verbs
