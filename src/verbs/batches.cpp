#include "data/batches.hpp"

#include <charconv>
#include <cstdint>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "archive/archive.hpp"
#include "data/npy.hpp"
#include "data/token_file.hpp"
#include "verbs/job.hpp"
#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

/// The trials of a study in the form that find_trial looks through.
std::vector<archive::TrialRecord> as_records(const study::Grid& grid) {
    std::vector<archive::TrialRecord> records;
    for (const study::PlannedTrial& planned : grid.trials) {
        archive::TrialRecord& record = records.emplace_back();
        record.planned = planned;
        record.index = static_cast<std::int64_t>(records.size()) - 1;
    }
    return records;
}

/// `A:B` as two numbers; (-1, -1), which names no steps, when it is anything else.
std::pair<std::int64_t, std::int64_t> step_range(const std::string& text) {
    std::int64_t first = -1, end = -1;
    const char* const last = text.data() + text.size();
    const auto [colon, error] = std::from_chars(text.data(), last, first);
    if (error != std::errc{} || colon == last || *colon != ':') return {-1, -1};
    const auto [rest, end_error] = std::from_chars(colon + 1, last, end);
    if (end_error != std::errc{} || rest != last) return {-1, -1};
    return {first, end};
}

int batches(const options::variables_map& given) {
    const auto study = read_job(given);
    if (!study) return refuse(study.error());
    const auto index = archive::find_trial(as_records(study->grid), text(given, "trial"));
    if (!index) return refuse(index.error());
    const study::PlannedTrial& planned = study->grid.trials[*index];
    const study::Trial& trial = planned.trial;

    const std::string steps = text(given, "steps");
    const auto [first, end] = step_range(steps);
    if (first < 0 || end <= first || end > trial.steps)
        return refuse({{"isogrid batches", "--steps " + steps + " names no steps",
                        "A:B with 0 <= A < B <= " + std::to_string(trial.steps) + ", steps counted from 0",
                        "write for example 0:" + std::to_string(std::min<std::int64_t>(10, trial.steps))}});
    const std::int64_t batch = trial.stage_after(first).batch;
    for (std::int64_t step = first + 1; step < end; ++step)
        if (trial.stage_after(step).batch != batch)
            return refuse({{"isogrid batches", "--steps " + steps + " have batches of several sizes",
                            std::to_string(trial.stage_after(step).batch) + " sequences from step " +
                                std::to_string(step) + " on, " + std::to_string(batch) + " before",
                            "ask for each size by itself"}});

    const auto tokens = data::TokenFile::open(study->job.token_file);
    if (!tokens) return refuse(tokens.error());
    const auto training_tokens = static_cast<std::int64_t>(tokens->training().size());
    const data::Sampler sampler(trial.seed, training_tokens, trial.drawn_from(training_tokens),
                                trial.shape.context);
    const std::string out = given.contains("to") ? text(given, "to")
                                                 : planned.name + "-steps-" + std::to_string(first) + "-" +
                                                       std::to_string(end) + ".npy";
    const std::vector<std::int64_t> shape = {end - first, batch, trial.shape.context + 1};
    const auto written = data::write_npy(out,
                                         data::batch_tokens(tokens->training(), sampler, trial.shape.context,
                                                            trial.sequences(first), trial.sequences(end)),
                                         shape);
    if (!written) return refuse(written.error());
    std::cout << out << ": (" << shape[0] << " steps, " << shape[1] << " sequences, " << shape[2]
              << " tokens)\n";
    return exit_done;
}

}  // namespace

Verb batches_verb() {
    using options::value;
    Verb verb{.name = "batches",
              .arguments = "JOB.toml --trial T --steps A:B [--scale F] [--to FILE.npy]",
              .summary = "Writes the exact tokens that steps A to B - 1 (from 0) of a trial train on.",
              .positions = {"JOB"},
              .run = batches};
    verb.described.add_options()("trial", value<std::string>()->required(), "number, name, or identity");
    add_scale(verb);
    auto option = verb.described.add_options();
    option("steps", value<std::string>()->required(), "A:B");
    option("to", value<std::string>(), "the file to write");
    return verb;
}

}  // namespace isogrid::verbs
