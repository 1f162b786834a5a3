#include "verbs/job.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "cluster/run/run.hpp"
#include "cluster/site/processor.hpp"
#include "data/token_file.hpp"
#include "kernels/cuda/cards.hpp"
#include "model/llama.hpp"
#include "train/trainer.hpp"

namespace isogrid::verbs {

namespace {

base::Result<study::CorpusFacts> read_corpus(const std::filesystem::path& token_file) {
    return data::TokenFile::open(token_file).map([](const data::TokenFile& file) {
        const data::TokenFileHeader& header = file.header();
        return study::CorpusFacts{header.vocabulary, header.training_tokens, header.validation_tokens,
                                  header.digest};
    });
}

}  // namespace

base::Result<study::Study> read_job(const options::variables_map& given) {
    std::optional<double> scale;
    if (given.contains("scale")) scale = given["scale"].as<double>();
    return study::read_study(text(given, "JOB"), read_corpus, model::exact_flops_per_token, scale);
}

base::Result<std::unique_ptr<kernels::Backend>> backend_of_card(const study::Job& job, int card) {
    try {
        return kernels::make_cuda_backend(card);
    } catch (const std::exception& error) {
        return base::fail(job.path.string() + ": run.device", "the CUDA card cannot be used", error.what(),
                          "correct that, or set device = \"cpu\"");
    }
}

void warn_of_precision(study::Study& study, const kernels::Backend& backend) {
    for (std::string& warning : cluster::precision_warnings(study, backend))
        study.grid.warnings.push_back(std::move(warning));
}

int count_too_large(const study::Study& study, const kernels::Backend& backend, std::int64_t bytes) {
    return static_cast<int>(std::count_if(
        study.grid.trials.begin(), study.grid.trials.end(), [&](const study::PlannedTrial& planned) {
            return train::planned_bytes(planned.trial, 1, 1, backend) > bytes;
        }));
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
