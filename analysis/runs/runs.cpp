// What reading from a CSV and from an archive have in common.
#include "analysis/runs/runs.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

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

std::optional<double> where_positive(double value) {
    return value > 0 ? std::optional(value) : std::nullopt;
}

/// What the run says of a role that is a number; nothing where it says nothing, or the role is no number.
std::optional<double> number_of(const Run& run, Role role) {
    switch (role) {
        case Role::parameters:
            return where_positive(run.parameters);
        case Role::tokens:
            return where_positive(run.tokens);
        case Role::flops:
            return where_positive(run.flops);
        case Role::loss:
            return where_positive(run.loss);
        case Role::batch:
            return run.batch;
        case Role::steps:
            return run.steps;
        case Role::step:
            return run.curve.empty() ? std::nullopt : where_positive(run.curve.back().step);
        case Role::loss_error:
            return run.loss_error;
        case Role::learning_rate:
            return run.learning_rate;
        case Role::width:
            return run.width;
        case Role::unique_tokens:
            return run.unique_tokens;
        case Role::error:
            return run.error;
        case Role::noise_scale:
            return run.noise_scale;
        case Role::active_parameters:
            return run.active_parameters;
        case Role::experts:
            return run.experts;
        case Role::non_embedding_parameters:
            for (const Convention& other : run.other_parameters)
                if (other.name == "non_embedding") return other.value;
            return std::nullopt;
        default:
            return std::nullopt;
    }
}

/// What the run says of a role that is a text; empty where it says nothing, or the role is no text.
std::string text_of(const Run& run, Role role) {
    switch (role) {
        case Role::name:
            return run.name;
        case Role::seed:
            return run.seed;
        case Role::family:
            return run.family;
        case Role::parametrization:
            return run.parametrization;
        default:
            return {};
    }
}

bool knows(const Run& run, Role role) {
    if (role == Role::run) return !run.curve.empty();
    if (role == Role::share) return !run.shares.empty();
    return number_of(run, role).has_value() || !text_of(run, role).empty();
}

}  // namespace

bool know(const Runs& runs, Role role) {
    return std::any_of(runs.used.begin(), runs.used.end(),
                       [role](const Run& run) { return knows(run, role); });
}

bool vary(const Runs& runs, Role role) {
    const auto differs = [&](const Run& run) {
        return number_of(run, role) != number_of(runs.used.front(), role) ||
               text_of(run, role) != text_of(runs.used.front(), role);
    };
    return std::any_of(runs.used.begin(), runs.used.end(), differs);
}

void join_budgets(std::vector<Run>& runs) {
    constexpr double rounded = 1.02, same = 1 + 1e-6;
    constexpr std::ptrdiff_t fewest = 3;  // runs, of which a minimum over size can be read
    std::vector<Run*> order;
    for (Run& run : runs)
        if (run.budget > 0) order.push_back(&run);
    std::sort(order.begin(), order.end(), [](const Run* a, const Run* b) { return a->budget < b->budget; });
    // Runs each nearer than 2% to the next are a group. One no wider than 2% is a budget where most runs lie
    // in such groups of three or more: what lies between them no rounding explains. Elsewhere any C may
    // stand, and so it may in wider groups; there only equal ones are a budget.
    const auto group_end = [&](auto begin) {
        auto end = begin + 1;
        while (end != order.end() && (*end)->budget <= rounded * (*(end - 1))->budget)
            ++end;
        return end;
    };
    const auto narrow = [&](auto begin, auto end) {
        return (*(end - 1))->budget <= rounded * (*begin)->budget;
    };
    std::ptrdiff_t in_budgets = 0;
    bool all_narrow = true;
    for (auto begin = order.begin(), end = begin; begin != order.end(); begin = end) {
        end = group_end(begin);
        all_narrow = all_narrow && narrow(begin, end);
        if (narrow(begin, end) && end - begin >= fewest) in_budgets += end - begin;
    }
    const bool most = 2 * in_budgets >= static_cast<std::ptrdiff_t>(order.size());
    const auto join = [](auto begin, auto end) {
        const double lowest = (*begin)->budget;
        double log_middle = 0;
        for (auto run = begin; run != end; ++run)
            log_middle += std::log((*run)->budget / lowest) / static_cast<double>(end - begin);
        const bool exact = (*(end - 1))->budget <= lowest * same;
        for (; begin != end; ++begin)
            (*begin)->budget = exact ? lowest : lowest * std::exp(log_middle);
    };
    for (auto begin = order.begin(), end = begin; begin != order.end(); begin = end) {
        end = group_end(begin);
        if (narrow(begin, end) && (all_narrow || (most && end - begin >= fewest))) {
            join(begin, end);
            continue;
        }
        for (auto equal = begin, next = begin; equal != end; equal = next) {
            next = std::find_if(
                equal, end, [from = (*equal)->budget](const Run* run) { return run->budget > from * same; });
            join(equal, next);
        }
    }
}

double largest_budget(const Runs& runs) {
    const auto largest = std::max_element(runs.used.begin(), runs.used.end(),
                                          [](const Run& a, const Run& b) { return a.flops < b.flops; });
    if (largest == runs.used.end()) return 0;
    const bool met = largest->budget > 0 && std::abs(largest->flops / largest->budget - 1) < 0.02;
    return met ? largest->budget : largest->flops;
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
    std::vector<Run> kept;  // erased one by one, half of many thousands take minutes
    kept.reserve(runs.used.size() - order.size());
    for (std::size_t index = 0, dropped = 0; index < runs.used.size(); ++index)
        if (dropped < order.size() && order[dropped] == index)
            ++dropped;
        else
            kept.push_back(std::move(runs.used[index]));
    runs.used = std::move(kept);
}

}  // namespace isogrid::analysis
