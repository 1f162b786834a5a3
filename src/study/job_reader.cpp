// The tables of a job file, one function each.
#include "study/job_reader.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "study/job_document.hpp"
#include "study/job_reader_studies.hpp"
#include "study/scale.hpp"

namespace isogrid::study {

namespace {

void read_study_table(JobDocument& document, Job& job) {
    document.require("study.name", "the name tells archives and reports apart", "name = \"my-study\"");
    document.read("study.name", job.name);
    auto seed = static_cast<std::int64_t>(job.seed);
    document.read("study.seed", seed, {0, 1e18});
    job.seed = static_cast<std::uint64_t>(seed);
    document.read("study.scale", job.scale, {1e-6, 1e6});
}

void read_data_table(JobDocument& document, Job& job, const std::filesystem::path& folder,
                     JobFaults& faults) {
    document.require("data.tokens", "trials need text to train on", "tokens = \"../data/corpus.tok\"");
    job.tokens = ".";  // no file, so that an empty text can be told from none
    document.read("data.tokens", job.tokens);
    if (job.tokens.empty())
        faults.add("data.tokens", "is empty", "trials need text to train on", "name a token file");
    job.token_file = (folder / job.tokens).lexically_normal();
}

void read_model_table(JobDocument& document, Ladder& ladder) {
    document.require("model.widths", "the ladder of sizes has no default", "widths = [16, 32, 64, 128, 256]");
    document.read("model.widths", ladder.widths, {2, 65536});
    document.read("model.aspect_ratio", ladder.aspect_ratio, {1, 65536});
    document.read("model.depth", ladder.depth, {0, 65536});
    document.read("model.head_width", ladder.head_width, {2, 1024});
    document.read("model.mlp_ratio", ladder.mlp_ratio, {0.125, 64});
    document.read("model.context", ladder.context, {2, 1048576});
    document.read("model.tied_head", ladder.tied_head);
}

void read_recipe_table(JobDocument& document, Recipe& recipe) {
    document.require("recipe.learning_rate", "the best one depends on the model and the data",
                     "learning_rate = 0.01");

    Parametrization& parametrization = recipe.parametrization;
    document.read_choice("recipe.parametrization", parametrization.kind, parametrization_kinds);
    document.read("recipe.base_width", parametrization.base_width, {1, 65536});
    document.read("recipe.initial_deviation", parametrization.initial_deviation, {1e-6, 10});
    document.read("recipe.embedding_multiplier", parametrization.embedding_multiplier, {1e-6, 1e6});
    document.read("recipe.attention_multiplier", parametrization.attention_multiplier, {1e-6, 1e6});
    document.read("recipe.output_multiplier", parametrization.output_multiplier, {1e-6, 1e6});
    document.read("recipe.residual_multiplier", parametrization.residual_multiplier, {1e-6, 1e6});

    Optimizer& optimizer = recipe.optimizer;
    document.read("recipe.learning_rate", optimizer.learning_rate, {1e-9, 10});
    document.read("recipe.beta1", optimizer.beta1, {0, 0.99999});
    document.read("recipe.beta2", optimizer.beta2, {0, 0.99999});
    document.read("recipe.epsilon", optimizer.epsilon, {1e-20, 1});
    document.read("recipe.weight_decay", optimizer.weight_decay, {0, 100});
    document.read("recipe.gradient_clip", optimizer.gradient_clip, {0, 1e6});

    document.read_choice("recipe.schedule", recipe.schedule, schedule_kinds);
    document.read("recipe.warmup_fraction", recipe.warmup_fraction, {0, 1});
    document.read("recipe.warmup_tokens", recipe.warmup_tokens, {0, 1e18});
    document.read("recipe.decay_fraction", recipe.decay_fraction, {0, 1});
    document.read("recipe.final_fraction", recipe.final_fraction, {0, 1});

    document.read_choice("recipe.precision", recipe.precision, precisions);
    document.read("recipe.batch", recipe.batch, {1, 1048576});
    document.read("recipe.leaves", recipe.leaves, {1, 4096});
    document.read_choice("recipe.gradient_sum", recipe.gradient_sum, gradient_sums);
    recipe.batch_schedule = read_batch_changes(document, "recipe.batch_schedule", 1);
    document.read_choice("recipe.batch_schedule_rule", recipe.batch_schedule_rule, batch_rules);
}

void read_isoflop_table(JobDocument& document, Isoflop& isoflop, JobFaults& faults) {
    const std::array others = {"critical_batch", "batch_ramp", "learning_rate", "mup", "wsd",
                               "repetition",     "data_size"};
    const bool other =
        std::any_of(others.begin(), others.end(), [&](auto table) { return document.has(table); });
    if (document.has("isoflop") || !other)
        document.require("isoflop.budgets", "a study is about them", "budgets = [1e11, 3e11, 1e12, 3e12]");
    document.read("isoflop.budgets", isoflop.budgets, {1, 1e26});
    document.read_choice("isoflop.flops", isoflop.convention, flop_conventions);
    document.read("isoflop.sizes", isoflop.sizes, {1, 1000});
    document.read("isoflop.seeds", isoflop.seeds, {1, 1000});
    document.read("isoflop.trunks", isoflop.trunks);

    std::vector<double> ends = {isoflop.tokens_per_parameter_low, isoflop.tokens_per_parameter_high};
    document.read("isoflop.tokens_per_parameter", ends, {0.001, 100000});
    if (!faults.sound({"isoflop.tokens_per_parameter"})) return;
    if (ends.size() != 2 || !(ends.front() < ends.back())) {
        faults.add("isoflop.tokens_per_parameter", "is not a range",
                   "two numbers are expected, the lower first",
                   "write for example `tokens_per_parameter = [5, 100]`");
        return;
    }
    isoflop.tokens_per_parameter_low = ends.front();
    isoflop.tokens_per_parameter_high = ends.back();
}

void read_evaluation_table(JobDocument& document, EvaluationPlan& evaluation) {
    document.read("evaluation.tokens", evaluation.tokens, {1, 1e12});
    document.read("evaluation.points", evaluation.points, {1, 1000});
    document.read_choice("evaluation.sample", evaluation.sample, evaluation_samples);
}

void read_run_table(JobDocument& document, Job& job) {
    document.read("run.ranks_per_trial", job.ranks_per_trial, {0, 4096});
    document.read("run.trials_per_card", job.trials_per_card, {0, 32});
    document.read("run.threads_per_rank", job.threads_per_rank, {1, 256});
    document.read_choice("run.device", job.device, devices);
    document.read("run.checkpoint_minutes", job.checkpoint_minutes, {0, 10000});
    document.read("run.keep_weights", job.keep_weights);
    document.read("run.keep_trunks", job.keep_trunks);
}

}  // namespace

std::string_view name(Device device) {
    switch (device) {
        case Device::automatic:
            return "auto";
        case Device::cpu:
            return "cpu";
        case Device::cuda:
            return "cuda";
    }
    throw std::invalid_argument("no such device");
}

void read_job(Job& job, const std::filesystem::path& folder, JobFaults& faults) {
    JobDocument document(job.text, faults);
    if (!document.parsed()) return;
    read_study_table(document, job);
    read_data_table(document, job, folder, faults);
    read_model_table(document, job.ladder);
    read_recipe_table(document, job.recipe);
    read_isoflop_table(document, job.isoflop, faults);
    read_study_tables(document, job, faults);
    read_evaluation_table(document, job.evaluation);
    read_run_table(document, job);
    document.finish();
    if (!faults.empty()) return;
    apply_scale(job);
    faults.scaled_by(job.scale);
}

}  // namespace isogrid::study
