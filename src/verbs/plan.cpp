#include "cluster/sweep/plan.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>

#include "archive/archive.hpp"
#include "archive/checkpoint_file.hpp"
#include "archive/find_trials.hpp"
#include "cluster/run/refusals.hpp"
#include "cluster/run/run.hpp"
#include "cluster/site/as_begun.hpp"
#include "cluster/site/device.hpp"
#include "cluster/site/processor.hpp"
#include "cluster/sweep/left_to_do.hpp"
#include "cluster/worker/machine.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cuda/cards.hpp"
#include "program/console.hpp"
#include "program/quantities.hpp"
#include "train/cost.hpp"
#include "verbs/job.hpp"
#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

/// What a study is planned for.
struct Planned {
    std::unique_ptr<kernels::Backend> backend;
    std::int64_t card_bytes = 0;   ///< 0: on processors
    std::string why_untimed = {};  ///< where it is for cards, and none is here
};

/// Steps of a large trial are timed by a smaller one of its kind: it does not fail here for want of memory.
void warn_of_memory(study::Study& study, const cluster::Plan& plan) {
    const std::int64_t here = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
    const auto too_large = std::count_if(plan.trials.begin(), plan.trials.end(),
                                         [&](const auto& trial) { return trial.bytes > here; });
    if (too_large > 0)
        study.grid.warnings.push_back(
            std::to_string(too_large) + (too_large == 1 ? " trial needs" : " trials need") +
            " more memory than this machine has (" + program::bytes(static_cast<double>(here)) +
            "; the table shows each trial's) train them where there is more");
}

/// Times training steps, for a quarter of a minute altogether, as nobody waits longer for a plan: what is
/// asked for later gets nothing, and neither does what cannot be timed at all.
class Timing {
  public:
    Timing(kernels::Backend& backend, int threads) : backend_(backend), threads_(threads) {}

    std::optional<double> seconds_per_step(const study::Trial& trial) const {
        constexpr std::chrono::seconds most{15};
        if (Clock::now() - begun_ > most) return std::nullopt;
        try {
            return train::measure_seconds_per_step(trial, backend_, threads_);
        } catch (const std::exception&) {
            return std::nullopt;
        }
    }

  private:
    using Clock = std::chrono::steady_clock;

    kernels::Backend& backend_;
    int threads_;
    Clock::time_point begun_ = Clock::now();
};

/// This machine's card, where the study takes one and there is one; else its processor. Warns the study of
/// what is amiss.
Planned plan_for(study::Study& study, cluster::InstructionSet instruction_set) {
    Planned planned{kernels::cpu::make_backend(instruction_set)};
    if (study.job.device != study::Device::cpu) {
        if (auto on_card = cluster::backend_of_card(study.job, 0)) {
            planned = {std::move(*on_card), kernels::cuda_cards().cards.front().bytes};
            for (std::string& warning :
                 cluster::card_warnings(cluster::count_too_large(study, *planned.backend, planned.card_bytes),
                                        planned.card_bytes))
                study.grid.warnings.push_back(std::move(warning));
        } else if (study.job.device == study::Device::cuda) {
            planned.why_untimed =
                "the job is for CUDA cards, and none can be used here; plan where one "
                "can. Memory is as on processors";
            return planned;
        } else {
            study.grid.warnings.push_back("times and memory are this processor's (" +
                                          on_card.error().front().why +
                                          ") plan on a machine with the cards that will train");
        }
    }
    for (std::string& warning : cluster::precision_warnings(study, *planned.backend))
        study.grid.warnings.push_back(std::move(warning));
    return planned;
}

/// Both must outlive the result.
cluster::Costs costs_of(const Planned& planned, const Timing& timing, int threads) {
    return {.seconds_per_step =
                [&](const study::Trial& trial) {
                    return planned.why_untimed.empty() ? timing.seconds_per_step(trial) : std::nullopt;
                },
            .bytes =
                [&, threads](const study::Trial& trial) {
                    const kernels::Backend& backend = *planned.backend;
                    return train::planned_bytes(trial, 1, threads, backend) +
                           (backend.on_host() ? archive::checkpoint_bytes(trial) : 0);
                }};
}

/// Of the terminal that the plan is printed to; 100 where it goes elsewhere.
int columns_to_fill() {
    constexpr int otherwise = 100;
    const int columns = program::terminal_columns(STDOUT_FILENO);
    return columns > 0 ? columns : otherwise;
}

int plan(const options::variables_map& given) {
    const int ranks = given["ranks"].as<int>();
    constexpr int most_ranks = 1'000'000;
    if (ranks < 1 || ranks > most_ranks)
        return refuse({{"isogrid plan", "--ranks " + std::to_string(ranks) + " cannot be planned for",
                        "there may be 1 to " + std::to_string(most_ranks), "ask for as many as will train"}});
    const auto best = cluster::instruction_set_of("plan", text(given, "isa"));
    if (!best) return refuse(best.error());
    auto study = read_job(given);
    if (!study) return refuse(study.error());
    // Not refused: by default a plan is for one rank.
    for (const base::Fault& fault : cluster::group_faults(*study, ranks))
        study->grid.warnings.push_back("isogrid run would refuse this: " + base::to_string(fault));
    cluster::InstructionSet instruction_set = *best;
    std::optional<cluster::LeftToDo> left;
    if (given.contains("archive")) {
        const std::string archive = text(given, "archive");
        const auto found = archive::find_trials(archive, study->grid);
        if (!found) return refuse(found.error());
        if (!found->foreign.empty()) return refuse(found->foreign);
        left = cluster::left_to_do(*found, *study, archive, ranks, {});
        if (text(given, "isa") == "auto")  // as isogrid run goes on
            instruction_set =
                cluster::as_begun(*best, archive::trained_with(*found), study->job.recipe.precision);
    }
    const Planned planned = plan_for(*study, instruction_set);
    const Timing timing(*planned.backend, study->job.threads_per_rank);
    const cluster::Costs costs = costs_of(planned, timing, study->job.threads_per_rank);
    cluster::Plan plan =
        left ? cluster::make_plan(*study, costs, ranks, *left) : cluster::make_plan(*study, costs, ranks);
    plan.card_bytes = planned.card_bytes;
    plan.instruction_set = planned.backend->instruction_set();
    if (!planned.why_untimed.empty()) plan.why_untimed = planned.why_untimed;
    if (planned.backend->on_host() && planned.why_untimed.empty()) warn_of_memory(*study, plan);
    plan.seats = std::min(planned.backend->trials_at_once(),
                          cluster::seats_of_cards(study->job, planned.card_bytes > 0));
    std::cout << (given.contains("json") ? cluster::plan_json(*study, plan)
                                         : cluster::plan_text(*study, plan, columns_to_fill()));
    return exit_done;
}

}  // namespace

Verb plan_verb() {
    Verb verb{
        .name = "plan",
        .arguments = "JOB.toml [--ranks N] [--archive OUT.h5] [--scale F] [--isa NAME] [--json]",
        .summary =
            "Prints the trials of a job, what they cost, and what the grid cannot answer. Trains nothing.",
        .positions = {"JOB"},
        .run = plan};
    verb.described.add_options()("ranks", options::value<int>()->default_value(1),
                                 "ranks that will train; start one more, which coordinates");
    verb.described.add_options()("archive", options::value<std::string>(),
                                 "plan what is left to do of it: finished trials cost nothing, and others go "
                                 "on from their checkpoints and from states that trunks have left");
    add_scale(verb);
    add_isa(verb);
    verb.described.add_options()("json", "as JSON");
    return verb;
}

}  // namespace isogrid::verbs
