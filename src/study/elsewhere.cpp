#include "study/elsewhere.hpp"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string_view>

namespace isogrid::study {

const std::string* key_elsewhere_called(const std::string& name) {
    static const std::map<std::string, std::string> keys = {
        {"aspect", "model.aspect_ratio"},
        {"batch_size", "recipe.batch"},
        {"block_size", "model.context"},
        {"clip_grad", "recipe.gradient_clip"},
        {"clip_norm", "recipe.gradient_clip"},
        {"context_length", "model.context"},
        {"d_model", "model.widths"},
        {"dim", "model.widths"},
        {"dtype", "recipe.precision"},
        {"emb_dim", "model.widths"},
        {"embed_dim", "model.widths"},
        {"eps", "recipe.epsilon"},
        {"eval_tokens", "evaluation.tokens"},
        {"ffn_mult", "model.mlp_ratio"},
        {"global_batch_size", "recipe.batch"},
        {"grad_clip", "recipe.gradient_clip"},
        {"head_dim", "model.head_width"},
        {"hidden_size", "model.widths"},
        {"init_std", "recipe.initial_deviation"},
        {"initializer_range", "recipe.initial_deviation"},
        {"lr", "recipe.learning_rate"},
        {"lr_schedule", "recipe.schedule"},
        {"lr_scheduler", "recipe.schedule"},
        {"max_grad_norm", "recipe.gradient_clip"},
        {"max_lr", "recipe.learning_rate"},
        {"max_seq_len", "model.context"},
        {"mixed_precision", "recipe.precision"},
        {"mlp_mult", "model.mlp_ratio"},
        {"n_ctx", "model.context"},
        {"n_embd", "model.widths"},
        {"n_layer", "model.depth"},
        {"n_layers", "model.depth"},
        {"num_hidden_layers", "model.depth"},
        {"num_layers", "model.depth"},
        {"scheduler", "recipe.schedule"},
        {"seq_len", "model.context"},
        {"seq_length", "model.context"},
        {"sequence_length", "model.context"},
        {"tie_embeddings", "model.tied_head"},
        {"tie_word_embeddings", "model.tied_head"},
        {"tied_embeddings", "model.tied_head"},
        {"val_tokens", "evaluation.tokens"},
        {"warmup", "recipe.warmup_fraction"},
        {"warmup_ratio", "recipe.warmup_fraction"},
        {"wd", "recipe.weight_decay"},
    };
    const auto found = keys.find(name);
    return found != keys.end() ? &found->second : nullptr;
}

const std::string* table_elsewhere_called(const std::string& name) {
    static const std::map<std::string, std::string> tables = {
        {"architecture", "model"}, {"corpus", "data"},      {"dataset", "data"},
        {"eval", "evaluation"},    {"hardware", "run"},     {"hyperparameters", "recipe"},
        {"optim", "recipe"},       {"optimizer", "recipe"}, {"resources", "run"},
        {"scheduler", "recipe"},   {"slurm", "run"},        {"train", "recipe"},
        {"trainer", "recipe"},     {"training", "recipe"},
    };
    const auto found = tables.find(name);
    return found != tables.end() ? &found->second : nullptr;
}

std::optional<Absence> nothing_of_the_kind(const std::string& name) {
    const auto is_one_of = [&](std::initializer_list<std::string_view> names) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (is_one_of({"epochs", "max_epochs", "num_epochs", "steps", "max_steps", "num_steps", "train_steps",
                   "total_steps", "max_iters"}))
        return Absence{.why =
                           "a trial's length follows from its study: isoflop.budgets are FLOPs, others give "
                           "tokens",
                       .what_to_do = "remove it"};
    if (is_one_of({"n_head", "n_heads", "num_heads", "num_attention_heads"}))
        return Absence{.why = "a model has as many heads as model.head_width fits into its width",
                       .what_to_do = "set model.head_width instead"};
    if (is_one_of({"vocab_size", "vocabulary", "tokenizer"}))
        return Absence{.why = "the token file says it",
                       .what_to_do = "remove it; isogrid tokenize --tokenizer chooses it"};
    if (is_one_of({"warmup_steps", "warmup_iters"}))
        return Absence{.why = "a warm-up is a share of the trial, or so many tokens",
                       .what_to_do = "set recipe.warmup_fraction or recipe.warmup_tokens instead"};
    if (name == "min_lr")
        return Absence{.why = "recipe.final_fraction is the last learning rate over the highest",
                       .what_to_do = "set that fraction instead"};
    if (name == "optimizer")
        return Absence{.why = "all trials are trained with AdamW", .what_to_do = "remove it"};
    if (is_one_of({"gradient_accumulation_steps", "micro_batch_size", "grad_accum"}))
        return Absence{.why = "recipe.batch is all of a step, and is cut into parts by itself",
                       .what_to_do = "remove it, and give recipe.batch in full"};
    return std::nullopt;
}

}  // namespace isogrid::study
