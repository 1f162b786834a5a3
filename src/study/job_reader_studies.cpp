#include "study/job_reader_studies.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace isogrid::study {

namespace {

constexpr Range widths_range = {2, 65536}, tokens_range = {1, 1e18}, rates_range = {1e-9, 10},
                batches_range = {1, 1048576}, seeds_range = {1, 1000};

/// Keys are asked for whether the file has the table or not, so that messages know all that exist; they are
/// required only where it does.
class StudyTable {
  public:
    StudyTable(JobDocument& document, std::string name) : document_(document), name_(std::move(name)) {}

    bool asked_for() const { return document_.has(name_); }

    void require(const std::string& key, std::string why, std::string example) {
        if (asked_for()) document_.require(path(key), std::move(why), std::move(example));
    }
    template <class Value>
    void read(const std::string& key, Value& value, Range range) {
        document_.read(path(key), value, range);
    }
    void read(const std::string& key, bool& value) { document_.read(path(key), value); }
    template <class Value, class Choices>
    void read_choice(const std::string& key, Value& value, const Choices& choices) {
        document_.read_choice(path(key), value, choices);
    }
    template <class Value, class Choices>
    void read_choices(const std::string& key, std::vector<Value>& values, const Choices& choices) {
        document_.read_choices(path(key), values, choices);
    }

  private:
    std::string path(const std::string& key) const { return name_ + "." + key; }

    JobDocument& document_;
    std::string name_;
};

/// What `table` says, where the file has it.
template <class Study>
std::optional<Study> where_asked_for(const StudyTable& table, Study study) {
    return table.asked_for() ? std::optional(std::move(study)) : std::nullopt;
}

std::optional<CriticalBatch> read_critical_batch(StudyTable table) {
    CriticalBatch study;
    table.require("batches", "the study compares them", "batches = [2, 4, 8, 16, 32, 64]");
    table.require("targets", "steps are counted to them", "targets = [2.4, 2.2, 2.0]");
    table.require("tokens", "a trial that reaches no target must end", "tokens = 4_000_000");
    table.read("widths", study.widths, widths_range);
    table.read("batches", study.batches, batches_range);
    table.read("learning_rates", study.learning_rates, rates_range);
    table.read_choice("learning_rate_rule", study.rule, batch_rules);
    table.read("targets", study.targets, {1e-6, 100});
    table.read("tokens", study.tokens, tokens_range);
    table.read("trunk_tokens", study.trunk_tokens, {0, 1e18});
    table.read("warmup_fraction", study.warmup_fraction, {0, 1});
    table.read("points", study.points, {3, 1000});
    table.read("seeds", study.seeds, seeds_range);
    return where_asked_for(table, std::move(study));
}

std::optional<BatchRamp> read_batch_ramp(StudyTable table, JobDocument& document, JobFaults& faults) {
    BatchRamp study;
    table.require("batches", "a ramp is compared with them", "batches = [4, 32]");
    table.require("tokens", "trials need a length", "tokens = 4_000_000");
    table.read("widths", study.widths, widths_range);
    table.read("batches", study.batches, batches_range);
    study.ramp = read_batch_changes(document, "batch_ramp.ramp", 0);
    table.read("critical_batch", study.critical_batch, {1e-12, 1e12});
    table.read("learning_rates", study.learning_rates, rates_range);
    table.read_choice("learning_rate_rule", study.rule, batch_rules);
    table.read("tokens", study.tokens, tokens_range);
    table.read("seeds", study.seeds, seeds_range);
    if (!study.critical_batch.empty() && study.critical_batch.size() != 2)
        faults.add("batch_ramp.critical_batch", "is no law of two numbers",
                   "coefficient and exponent of the critical batch in tokens are expected",
                   "write for example `critical_batch = [6.8, 0.53]`");
    return where_asked_for(table, std::move(study));
}

std::optional<LearningRates> read_learning_rate(StudyTable table) {
    LearningRates study;
    table.require("learning_rates", "the study compares them",
                  "learning_rates = [0.0025, 0.005, 0.01, 0.02, 0.04]");
    table.require("tokens", "trials need a length", "tokens = [2_000_000]");
    table.read("widths", study.widths, widths_range);
    table.read("learning_rates", study.learning_rates, rates_range);
    table.read("batches", study.batches, batches_range);
    table.read("weight_decays", study.weight_decays, {0, 100});
    table.read("warmup_fractions", study.warmup_fractions, {0, 1});
    table.read("tokens", study.tokens, tokens_range);
    table.read("seeds", study.seeds, seeds_range);
    return where_asked_for(table, std::move(study));
}

std::optional<MupLadder> read_mup(StudyTable table) {
    MupLadder study;
    table.require("learning_rates", "the study compares them",
                  "learning_rates = [0.0025, 0.005, 0.01, 0.02, 0.04]");
    table.require("tokens", "trials need a length", "tokens = 1_000_000");
    table.read("widths", study.widths, widths_range);
    table.read("depths", study.depths, {1, 65536});
    table.read("learning_rates", study.learning_rates, rates_range);
    table.read_choices("parametrizations", study.parametrizations, parametrization_kinds);
    table.read("tokens", study.tokens, tokens_range);
    table.read("seeds", study.seeds, seeds_range);
    table.read("coordinate_check", study.coordinate_check);
    return where_asked_for(table, std::move(study));
}

std::optional<Decays> read_wsd(StudyTable table) {
    Decays study;
    table.require("branches", "decays begin there", "branches = [1_000_000, 2_000_000, 4_000_000]");
    table.read("widths", study.widths, widths_range);
    table.read("branches", study.branches, tokens_range);
    table.read("added_branches", study.added_branches, tokens_range);
    table.read("trunk_tokens", study.trunk_tokens, {0, 1e18});
    table.read_choices("decays", study.forms, decay_forms);
    table.read("final_fractions", study.final_fractions, {0, 1});
    table.read("seeds", study.seeds, seeds_range);
    return where_asked_for(table, std::move(study));
}

std::optional<Repetition> read_repetition(StudyTable table) {
    Repetition study;
    table.require("unique_tokens", "the study compares them", "unique_tokens = [500_000, 2_000_000]");
    table.require("epochs", "the study compares them", "epochs = [1, 2, 4, 8]");
    table.read("widths", study.widths, widths_range);
    table.read("unique_tokens", study.unique_tokens, tokens_range);
    table.read("epochs", study.epochs, {0.01, 1e6});
    table.read("seeds", study.seeds, seeds_range);
    return where_asked_for(table, std::move(study));
}

std::optional<DataSize> read_data_size(StudyTable table) {
    DataSize study;
    table.require("tokens", "the study compares them",
                  "tokens = [100_000, 200_000, 400_000, 800_000, 1_600_000, 3_200_000]");
    table.read("widths", study.widths, widths_range);
    table.read("tokens", study.tokens, tokens_range);
    table.read("seeds", study.seeds, seeds_range);
    return where_asked_for(table, std::move(study));
}

std::optional<Schedules> read_schedules(StudyTable table) {
    Schedules study;
    table.require("variants", "the study compares them", "variants = [\"tuned\", \"truncated_cosine\"]");
    table.read_choices("variants", study.variants, variants);
    table.read("large_batch", study.large_batch, {0, 1048576});
    return where_asked_for(table, std::move(study));
}

std::optional<Validation> read_validation(StudyTable table) {
    Validation study;
    table.require("budgets", "the study is about them", "budgets = [1e13]");
    table.read("budgets", study.budgets, {1, 1e26});
    table.read("sizes", study.sizes, {1, 1000});
    table.read("seeds", study.seeds, seeds_range);
    return where_asked_for(table, std::move(study));
}

}  // namespace

std::vector<BatchChange> read_batch_changes(JobDocument& document, const std::string& key,
                                            std::int64_t earliest) {
    std::vector<std::array<std::int64_t, 2>> pairs;
    document.read(key, pairs, {static_cast<double>(earliest), tokens_range.high}, batches_range);
    std::vector<BatchChange> changes;
    for (const auto& [tokens, batch] : pairs)
        changes.push_back({.tokens = tokens, .batch = batch});
    return changes;
}

void read_study_tables(JobDocument& document, Job& job, JobFaults& faults) {
    job.critical_batch = read_critical_batch({document, "critical_batch"});
    job.batch_ramp = read_batch_ramp({document, "batch_ramp"}, document, faults);
    job.learning_rate = read_learning_rate({document, "learning_rate"});
    job.mup = read_mup({document, "mup"});
    job.wsd = read_wsd({document, "wsd"});
    job.repetition = read_repetition({document, "repetition"});
    job.data_size = read_data_size({document, "data_size"});
    job.schedules = read_schedules({document, "schedules"});
    job.validation = read_validation({document, "validation"});
}

}  // namespace isogrid::study
