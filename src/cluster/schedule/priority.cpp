#include "cluster/schedule/priority.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace isogrid::cluster {

namespace {

/// How long each task takes with the longest chain of those that must follow it.
std::vector<double> chains(std::span<const Task> tasks, std::span<const Waiting> times) {
    std::vector<double> chains(tasks.size());
    for (std::size_t i = 0; i < tasks.size(); ++i)
        chains[i] = times[i].seconds;
    if (std::none_of(tasks.begin(), tasks.end(), [](const Task& task) { return task.after >= 0; }))
        return chains;
    std::map<int, std::size_t> places;
    for (std::size_t i = 0; i < tasks.size(); ++i)
        places[tasks[i].trial] = i;
    // Chains are short, a trunk and its branches, so each is walked from its end to its start.
    for (std::size_t end = 0; end < tasks.size(); ++end) {
        double seconds = times[end].seconds;
        for (auto trunk = places.find(tasks[end].after); trunk != places.end();
             trunk = places.find(tasks[trunk->second].after)) {
            seconds += times[trunk->second].seconds;
            chains[trunk->second] = std::max(chains[trunk->second], seconds);
        }
    }
    return chains;
}

/// The budgets of the tasks, the one with the least work first.
std::vector<double> cheapest_first(std::span<const Task> tasks, std::span<const Waiting> times) {
    std::map<double, double> work;
    for (std::size_t i = 0; i < tasks.size(); ++i)
        work[tasks[i].budget] += times[i].seconds;
    std::vector<double> budgets;
    for (const auto& [budget, seconds] : work)
        budgets.push_back(budget);
    std::stable_sort(budgets.begin(), budgets.end(), [&](double a, double b) { return work[a] < work[b]; });
    return budgets;
}

/// `order` with the tasks of `first` before all others.
std::vector<std::size_t> with_budgets_first(std::span<const Task> tasks, std::vector<std::size_t> order,
                                            std::span<const double> first) {
    std::map<double, std::size_t> rank;
    for (const double budget : first)
        rank.emplace(budget, rank.size());
    const auto place = [&](std::size_t task) {
        const auto found = rank.find(tasks[task].budget);
        return found != rank.end() ? found->second : rank.size();
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
    return order;
}

Priorities allotted(std::span<const Waiting> times, std::vector<std::size_t> order,
                    const std::vector<double>& free_at) {
    std::vector<Waiting> in_order;
    for (const std::size_t task : order)
        in_order.push_back(times[task]);
    Allotment allotment = allot(in_order, free_at);
    return {.order = std::move(order), .ranks = std::move(allotment.ranks), .end = allotment.end};
}

}  // namespace

std::vector<std::size_t> longest_chain_first(std::span<const Task> tasks, std::span<const Waiting> times) {
    const std::vector<double> seconds = chains(tasks, times);
    std::vector<std::size_t> order(tasks.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return seconds[a] != seconds[b] ? seconds[a] > seconds[b] : tasks[a].trial < tasks[b].trial;
    });
    return order;
}

Priorities longest_first(std::span<const Task> tasks, std::span<const Waiting> times,
                         const std::vector<double>& free_at) {
    return allotted(times, longest_chain_first(tasks, times), free_at);
}

Priorities prioritize(std::span<const Task> tasks, std::span<const Waiting> times,
                      const std::vector<double>& free_at) {
    Priorities without = longest_first(tasks, times, free_at);
    const std::vector<double> budgets = cheapest_first(tasks, times);
    // Halving: each try takes as long as the plan itself, and what it gains is worth least in the end.
    for (std::size_t early = budgets.empty() ? 0 : budgets.size() - 1; early > 0; early /= 2) {
        Priorities tried = allotted(
            times, with_budgets_first(tasks, without.order, std::span(budgets).first(early)), free_at);
        if (tried.end <= early_budgets_worth * without.end) return tried;
    }
    return without;
}

}  // namespace isogrid::cluster
