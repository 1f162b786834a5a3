// What reading from a CSV and from an archive have in common.
#include "analysis/runs.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>
#include <sstream>

namespace isogrid::analysis {

std::string_view name(Role role) {
    switch (role) {
        case Role::parameters:
            return "parameters";
        case Role::tokens:
            return "tokens";
        case Role::loss:
            return "loss";
        case Role::flops:
            return "flops";
        case Role::batch:
            return "batch";
        case Role::steps:
            return "steps";
        case Role::step:
            return "step";
        case Role::run:
            return "run";
        case Role::name:
            return "name";
        case Role::seed:
            return "seed";
        case Role::family:
            return "family";
        case Role::loss_error:
            return "loss_error";
        case Role::learning_rate:
            return "learning_rate";
        case Role::width:
            return "width";
        case Role::parametrization:
            return "parametrization";
        case Role::unique_tokens:
            return "unique_tokens";
        case Role::error:
            return "error";
        case Role::noise_scale:
            return "noise_scale";
        case Role::active_parameters:
            return "active_parameters";
        case Role::experts:
            return "experts";
        case Role::non_embedding_parameters:
            return "non_embedding_parameters";
        case Role::share:
            return "share";
    }
    return "unknown";
}

namespace {

bool knows(const Run& run, Role role) {
    switch (role) {
        case Role::parameters:
            return run.parameters > 0;
        case Role::tokens:
            return run.tokens > 0;
        case Role::flops:
            return run.flops > 0;
        case Role::loss:
            return run.loss > 0;
        case Role::batch:
            return run.batch.has_value();
        case Role::steps:
            return run.steps.has_value();
        case Role::step:
            return !run.curve.empty() && std::isfinite(run.curve.back().step);
        case Role::run:
            return !run.curve.empty();
        case Role::name:
            return !run.name.empty();
        case Role::seed:
            return !run.seed.empty();
        case Role::family:
            return !run.family.empty();
        case Role::loss_error:
            return run.loss_error.has_value();
        case Role::learning_rate:
            return run.learning_rate.has_value();
        case Role::width:
            return run.width.has_value();
        case Role::parametrization:
            return !run.parametrization.empty();
        case Role::unique_tokens:
            return run.unique_tokens.has_value();
        case Role::error:
            return run.error.has_value();
        case Role::noise_scale:
            return run.noise_scale.has_value();
        case Role::active_parameters:
            return run.active_parameters.has_value();
        case Role::experts:
            return run.experts.has_value();
        case Role::non_embedding_parameters:
            return std::any_of(run.other_parameters.begin(), run.other_parameters.end(),
                               [](const Convention& other) { return other.name == "non_embedding"; });
        case Role::share:
            return !run.shares.empty();
    }
    return false;
}

}  // namespace

bool know(const Runs& runs, Role role) {
    return std::any_of(runs.used.begin(), runs.used.end(),
                       [role](const Run& run) { return knows(run, role); });
}

void join_budgets(std::vector<Run>& runs) {
    std::vector<Run*> order;
    for (Run& run : runs)
        order.push_back(&run);
    std::sort(order.begin(), order.end(), [](const Run* a, const Run* b) { return a->budget < b->budget; });
    double shared = 0;
    for (Run* run : order) {
        if (run->budget > shared * (1 + 1e-6)) shared = run->budget;
        run->budget = shared;
    }
}

void drop_highest_loss(Runs& runs, std::size_t count) {
    std::vector<std::size_t> order(runs.used.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return runs.used[a].loss > runs.used[b].loss; });
    order.resize(std::min(count, order.size()));
    std::sort(order.begin(), order.end());
    for (const std::size_t index : order)
        runs.rejected.push_back(
            {runs.used[index].name, runs.used[index].digest,
             "one of the " + std::to_string(count) + " highest losses (--drop-highest-loss)"});
    for (auto index = order.rbegin(); index != order.rend(); ++index)
        runs.used.erase(runs.used.begin() + static_cast<std::ptrdiff_t>(*index));
}

study::Result<std::string> read_text(const std::filesystem::path& file) {
    std::error_code error;
    if (std::filesystem::is_directory(file, error))
        return study::fail(file.string(), "is a folder", "a file of runs is needed", "name the file in it");
    std::ifstream stream(file, std::ios::binary);
    if (!stream) return study::fail(file.string(), "cannot be read", std::strerror(errno), "check the name");
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

}  // namespace isogrid::analysis
