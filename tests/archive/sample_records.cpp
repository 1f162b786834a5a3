#include "archive/sample_records.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>

#include <gtest/gtest.h>

#include "base/digest.hpp"

namespace isogrid::archive::sample {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

study::PlannedTrial planned_trial(std::int64_t index) {
    study::PlannedTrial planned;
    const std::string budget = std::to_string(index / 7), width = std::to_string(16 * (index + 1));
    planned.name.append("b").append(budget).append("-w").append(width).append("-d2");
    planned.studies = {"isoflop", "validation"};
    planned.variant = "cosine";
    planned.budget = 1e9 * static_cast<double>(index / 7 + 1);
    study::Trial& trial = planned.trial;
    trial.shape = {.width = 16 * (index + 1),
                   .depth = 2,
                   .heads = 4,
                   .mlp_width = 48,
                   .vocabulary = 256,
                   .context = 32,
                   .tied_head = index % 2 == 1};
    trial.optimizer.learning_rate = 0.01;
    trial.schedule.warmup_steps = 3;
    trial.evaluation.tokens = 64;
    trial.evaluation.steps = {10, 20 + index};
    trial.batch = 8;
    trial.leaves = 4;
    trial.steps = 20 + index;
    trial.seed = 7;
    trial.token_digest = base::sha256("a corpus");
    planned.parameters = study::count_parameters(planned.trial.shape);
    planned.flops_per_token = study::count_flops(planned.trial.shape, 1234.5 + static_cast<double>(index));
    return planned;
}

std::vector<CurvePoint> curve(std::int64_t index) {
    const double loss = 5.5 - 0.01 * static_cast<double>(index);
    std::vector<CurvePoint> points(3);
    points[0] = {.training_loss = nan, .validation_loss = loss, .gradient_norm = nan};
    points[1] = {.step = 10,
                 .tokens = 2560,
                 .flops = 3e6,
                 .training_loss = 4.1,
                 .validation_loss = loss / 2,
                 .learning_rate = 0.01,
                 .gradient_norm = 1.5,
                 .noise = {0.5, 20}};
    points[2] = {.step = 20, .tokens = 5120, .flops = 6e6, .training_loss = 3.9};
    for (std::size_t group = 0; group < points[1].noise_of_group.size(); ++group)
        points[1].noise_of_group[group] = {0.1 * static_cast<double>(group), 4};
    return points;
}

bool same(double left, double right) {
    return left == right || (std::isnan(left) && std::isnan(right));
}

}  // namespace

TrialRecord record(std::int64_t index, std::size_t weights) {
    TrialRecord record;
    record.index = index;
    record.planned = planned_trial(index);
    record.result = {.outcome = Outcome::completed,
                     .cause = {},
                     .steps_done = record.planned.trial.steps,
                     .curve = curve(index),
                     .training_loss = 3.9,
                     .validation_loss = 3.75,
                     .bits_per_byte = 3.75 / std::log(2.0),
                     .weights_digest = {},
                     .weights = {}};
    for (std::size_t i = 0; i < weights; ++i)
        record.result.weights.push_back(0.5F + static_cast<float>(i) * static_cast<float>(index + 1));
    record.result.weights_digest = base::sha256(std::as_bytes(std::span(record.result.weights)));
    record.provenance = {.host = "node-1",
                         .processor = "a processor",
                         .instruction_set = "avx2",
                         .code_revision = "0123abc",
                         .slurm_job = "42",
                         .slurm_restarts = 1,
                         .ranks = 2,
                         .started_unix = 1.7e9,
                         .seconds = 12.5,
                         .tokens_per_second = 1e5};
    return record;
}

TrialRecord ended(TrialRecord record, Outcome outcome, const std::string& cause) {
    record.result.outcome = outcome;
    record.result.cause = cause;
    record.result.steps_done = 11;
    record.result.validation_loss = record.result.bits_per_byte = nan;
    record.result.weights.clear();
    record.result.weights_digest.clear();
    return record;
}

void expect_equal(const TrialRecord& found, const TrialRecord& expected) {
    EXPECT_EQ(found.index, expected.index);
    EXPECT_EQ(found.planned, expected.planned);
    const TrialResult &result = found.result, &other = expected.result;
    EXPECT_EQ(result.outcome, other.outcome);
    EXPECT_EQ(result.cause, other.cause);
    EXPECT_EQ(result.steps_done, other.steps_done);
    EXPECT_PRED2(same, result.training_loss, other.training_loss);
    EXPECT_PRED2(same, result.validation_loss, other.validation_loss);
    EXPECT_PRED2(same, result.bits_per_byte, other.bits_per_byte);
    EXPECT_EQ(result.weights_digest, other.weights_digest);
    EXPECT_EQ(result.weights, other.weights);
    ASSERT_EQ(result.curve.size(), other.curve.size());
    for (std::size_t i = 0; i < result.curve.size(); ++i) {
        EXPECT_EQ(result.curve[i].step, other.curve[i].step);
        EXPECT_EQ(result.curve[i].tokens, other.curve[i].tokens);
        EXPECT_PRED2(same, result.curve[i].flops, other.curve[i].flops);
        EXPECT_PRED2(same, result.curve[i].training_loss, other.curve[i].training_loss);
        EXPECT_PRED2(same, result.curve[i].validation_loss, other.curve[i].validation_loss);
        EXPECT_PRED2(same, result.curve[i].learning_rate, other.curve[i].learning_rate);
        EXPECT_PRED2(same, result.curve[i].gradient_norm, other.curve[i].gradient_norm);
        EXPECT_PRED2(same, result.curve[i].noise.signal, other.curve[i].noise.signal);
        EXPECT_PRED2(same, result.curve[i].noise.variance, other.curve[i].noise.variance);
        for (std::size_t group = 0; group < study::parameter_groups.size(); ++group) {
            EXPECT_PRED2(same, result.curve[i].noise_of_group[group].signal,
                         other.curve[i].noise_of_group[group].signal);
            EXPECT_PRED2(same, result.curve[i].noise_of_group[group].variance,
                         other.curve[i].noise_of_group[group].variance);
        }
    }
    EXPECT_EQ(found.provenance, expected.provenance);
}

Folder::Folder() {
    const std::filesystem::path memory = "/dev/shm";  // where there is one: these tests write often
    const std::filesystem::path parent =
        std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "isogrid-archive-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    path_ = pattern;
}

Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void put_bytes(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

std::string damage_a_name(const std::filesystem::path& segment) {
    std::string bytes = bytes_of(segment);
    bytes[bytes.find("b0-w32-d2")] = 'c';
    put_bytes(segment, bytes);
    return bytes;
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace isogrid::archive::sample
