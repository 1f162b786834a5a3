#include "study/scale.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <vector>

#include "base/wording.hpp"

namespace isogrid::study {

namespace {

/// A line without its comment and what surrounds it.
std::string bare(std::string line) {
    line.resize(std::min(line.find('#'), line.size()));
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos) return "";
    return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

bool sets_scale(const std::string& line) {
    const std::string text = bare(line);
    return text.starts_with("scale") && text.find_first_not_of(" \t", 5) == text.find('=');
}

void multiply(std::int64_t& tokens, double scale) {
    if (tokens > 0) tokens = std::max<std::int64_t>(1, std::llround(static_cast<double>(tokens) * scale));
}
void multiply(double& budget, double scale) {
    budget *= scale;
}
void multiply(BatchChange& change, double scale) {
    multiply(change.tokens, scale);
}
template <class Value>
void multiply(std::vector<Value>& values, double scale) {
    for (Value& value : values)
        multiply(value, scale);
}

}  // namespace

base::Result<std::string> with_scale(const std::string& text, double factor, const std::string& job_file) {
    std::istringstream lines(text);
    std::string scaled;
    bool in_study = false, found = false;
    for (std::string line; std::getline(lines, line);) {
        const std::string content = bare(line);
        if (content.starts_with("[")) in_study = content == "[study]";
        if (in_study && sets_scale(line)) continue;
        scaled += line + "\n";
        if (content != "[study]") continue;
        scaled += "scale = " + base::as_written(factor) + "\n";
        found = true;
    }
    if (!found)
        return base::fail(job_file, "cannot be scaled",
                          "no line of it is `[study]`, where the scale is noted",
                          "write the table so, or scale its budgets and tokens by hand");
    return scaled;
}

void apply_scale(Job& job) {
    const double scale = job.scale;
    if (scale == 1) return;
    multiply(job.recipe.warmup_tokens, scale);
    multiply(job.recipe.batch_schedule, scale);
    multiply(job.isoflop.budgets, scale);
    multiply(job.isoflop.tokens_per_parameter_low, scale);
    multiply(job.isoflop.tokens_per_parameter_high, scale);
    if (job.validation) multiply(job.validation->budgets, scale);
    if (job.critical_batch) {
        multiply(job.critical_batch->tokens, scale);
        multiply(job.critical_batch->trunk_tokens, scale);
    }
    if (job.batch_ramp) {
        multiply(job.batch_ramp->tokens, scale);
        multiply(job.batch_ramp->ramp, scale);
    }
    if (job.learning_rate) multiply(job.learning_rate->tokens, scale);
    if (job.mup) multiply(job.mup->tokens, scale);
    if (job.wsd) {
        multiply(job.wsd->branches, scale);
        multiply(job.wsd->added_branches, scale);
        multiply(job.wsd->trunk_tokens, scale);
    }
    if (job.repetition) multiply(job.repetition->unique_tokens, scale);
    if (job.data_size) multiply(job.data_size->tokens, scale);
    multiply(job.evaluation.tokens, std::min(1.0, scale));  // a larger one hardly tells more
    job.evaluation.tokens = std::max(job.evaluation.tokens, job.ladder.context);
}

double scaled_least(double steps, const Job& job) {
    return std::max(1.0, steps * std::min(1.0, job.scale));
}

}  // namespace isogrid::study
