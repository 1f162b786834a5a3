#include "study/axes.hpp"

#include "study/scale.hpp"

namespace isogrid::study {

std::string seed_part(std::int64_t seeds, std::int64_t i) {
    return seeds < 2 ? "" : "-s" + std::to_string(i + 1);
}

std::string shape_part(const Shape& shape) {
    return "-w" + std::to_string(shape.width) + "-d" + std::to_string(shape.depth);
}

bool check_widths(const std::string& key, const std::vector<std::int64_t>& widths, const Ladder& ladder,
                  JobFaults& faults) {
    bool sound = faults.sound({key, "model"});
    for (std::size_t i = 0; i < widths.size() && sound; ++i) {
        if (widths[i] % ladder.head_width == 0) continue;
        faults.add(element(key, i), std::to_string(widths[i]) + " cannot be cut into heads",
                   "model.head_width is " + std::to_string(ladder.head_width),
                   "choose a multiple of it, or another head_width");
        sound = false;
    }
    return sound;
}

bool check_count(const std::string& key, std::size_t count, std::size_t fewest, const std::string& why,
                 JobFaults& faults) {
    if (count >= fewest) return true;
    faults.add(key, "has " + std::to_string(count) + (count == 1 ? " value" : " values"), why,
               "list " + std::to_string(fewest) + " or more");
    return false;
}

double least_steps(const Job& job) {
    constexpr double unscaled = 20;
    return scaled_least(unscaled, job);
}

std::string least_steps_text(const Job& job) {
    const double least = least_steps(job);
    return base::rounded(least) + (least > 1 ? " steps" : " step");
}

bool check_steps(const std::string& key, double tokens, std::int64_t batch, const Job& job,
                 JobFaults& faults) {
    const std::int64_t tokens_per_step = batch * job.ladder.context;
    if (tokens / static_cast<double>(tokens_per_step) >= least_steps(job)) return true;
    faults.add(
        key, base::as_written(tokens) + " is less than " + least_steps_text(job),
        "a step of batch " + std::to_string(batch) + " has " + std::to_string(tokens_per_step) + " tokens",
        "raise it, or lower the batch");
    return false;
}

bool check_changes(const std::string& key, std::int64_t first, const std::vector<BatchChange>& changes,
                   std::int64_t context, JobFaults& faults) {
    BatchChange before{.tokens = 0, .batch = first};
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const BatchChange& change = changes[i];
        const std::int64_t step = before.batch * context;
        if (change.tokens < before.tokens + step) {
            faults.add(element(key, i), std::to_string(change.tokens) + " tokens are not a step later",
                       "the batch before begins at " + std::to_string(before.tokens) +
                           ", and one of its steps has " + std::to_string(step) + " tokens",
                       "list changes by rising tokens, a step apart at least");
            return false;
        }
        if (change.batch == before.batch) {
            faults.add(element(key, i), "changes nothing",
                       "the batch before is " + std::to_string(before.batch) + " too", "remove it");
            return false;
        }
        before = change;
    }
    return true;
}

}  // namespace isogrid::study
