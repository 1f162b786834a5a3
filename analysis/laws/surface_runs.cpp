#include "analysis/laws/surface_runs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "analysis/figures/numbers.hpp"
#include "analysis/fit/bootstrap.hpp"

namespace isogrid::analysis {
namespace {

std::size_t distinct(const std::vector<Run>& runs, double Run::*count) {
    std::set<double> values;
    for (const Run& run : runs)
        values.insert(run.*count);
    return values.size();
}

/// C / (N D).
double cost_of(const Run& run) {
    return run.flops / (run.parameters * run.tokens);
}

/// The runs that cost more than half as much as the dearest.
std::vector<const Run*> of_largest_compute(const std::vector<Run>& runs) {
    double largest = 0;
    for (const Run& run : runs)
        largest = std::max(largest, run.flops);
    std::vector<const Run*> chosen;
    for (const Run& run : runs)
        if (run.flops > 0.5 * largest) chosen.push_back(&run);
    return chosen;
}

}  // namespace

double togetherness(const std::vector<Run>& runs) {
    const auto count = static_cast<double>(runs.size());
    double n = 0, d = 0, nn = 0, dd = 0, nd = 0;
    for (const Run& run : runs)
        n += std::log(run.parameters) / count, d += std::log(run.tokens) / count;
    for (const Run& run : runs) {
        const double x = std::log(run.parameters) - n, y = std::log(run.tokens) - d;
        nn += x * x, dd += y * y, nd += x * y;
    }
    return nd / std::sqrt(nn * dd);
}

std::optional<Reason> too_few_for_surface(const std::vector<Run>& runs, std::size_t parameters) {
    const std::size_t fewest_runs = parameters + 3, fewest_sizes = 3;
    const std::string count = std::to_string(runs.size()) + " runs";
    if (runs.size() < fewest_runs)
        return Reason{Refusal::too_few_runs, count + " (" + std::to_string(fewest_runs) + " are needed for " +
                                                 std::to_string(parameters) + " parameters) run more trials"};
    const std::size_t sizes = distinct(runs, &Run::parameters), tokens = distinct(runs, &Run::tokens);
    if (sizes < fewest_sizes || tokens < fewest_sizes)
        return Reason{
            Refusal::too_few_runs,
            count + " of " + std::to_string(sizes) + " sizes and " + std::to_string(tokens) +
                " token counts (3 of each are needed to see an exponent and a floor) vary both more"};
    if (const double together = togetherness(runs); std::abs(together) > 0.9995)
        return Reason{Refusal::not_separable,
                      "sizes and tokens moved together (correlation of their logarithms " +
                          format_significant(together, 5) +
                          ", so no run tells the exponents apart) vary one while the other stays"};
    return std::nullopt;
}

std::vector<std::size_t> repeats_of(const std::vector<Run>& runs) {
    std::vector<const Run*> all;
    for (const Run& run : runs)
        all.push_back(&run);
    return repeats_of(all);
}

std::vector<std::size_t> repeats_of(const std::vector<const Run*>& runs) {
    std::map<decltype(recipe_of(*runs.front())), std::size_t> sets;
    std::vector<std::size_t> repeats;
    for (const Run* run : runs)
        repeats.push_back(sets.try_emplace(recipe_of(*run), sets.size()).first->second);
    return repeats;
}

std::vector<std::vector<const Run*>> sets_of_seeds(const std::vector<const Run*>& runs) {
    std::vector<std::vector<const Run*>> recipes;
    std::map<decltype(recipe_of(*runs.front())), std::size_t> known;
    for (const Run* run : runs) {
        std::size_t place = recipes.size();
        if (!run->seed.empty()) place = known.try_emplace(recipe_of(*run), place).first->second;
        if (place == recipes.size()) recipes.emplace_back();
        recipes[place].push_back(run);
    }
    std::vector<std::vector<const Run*>> sets;
    for (auto& members : recipes) {
        std::set<std::string> seeds;
        for (const Run* run : members)
            seeds.insert(run->seed);
        if (seeds.size() == members.size())
            sets.push_back(std::move(members));
        else
            for (const Run* run : members)
                sets.push_back({run});
    }
    return sets;
}

std::vector<Run> averaged_over_seeds(const std::vector<Run>& runs) {
    std::vector<const Run*> all;
    for (const Run& run : runs)
        all.push_back(&run);
    std::vector<Run> averaged;
    for (const auto& set : sets_of_seeds(all)) {
        const auto count = static_cast<double>(set.size());
        Run& mean = averaged.emplace_back(*set.front());
        mean.loss = mean.flops = 0;
        for (const Run* run : set)
            mean.loss += run->loss / count, mean.flops += run->flops / count;
    }
    return averaged;
}

bool meets_budget(const Run& run) {
    return run.budget > 0 && std::abs(run.flops / run.budget - 1) < 0.02;
}

double counted_flops(const Run& run) {
    return meets_budget(run) ? run.budget : run.flops;
}

void tell_cost(const std::vector<Run>& runs, LawFit& fit) {
    const std::vector<const Run*> largest = of_largest_compute(runs);
    std::vector<double> costs;
    for (const Run* run : largest)
        costs.push_back(cost_of(*run));
    double& taken = fit.surface->flops_per_parameter_token;
    if (!costs.empty()) taken = median(costs);  // else nobody says what they cost
    fit.notes.push_back("the optimum at a budget assumes C = " + format_significant(taken, 4) +
                        " N D, as at the largest compute");
    // Where N leaves out the embedding it is 1.7 times as much of a proxy's small models as of its large
    // ones.
    constexpr double apart = 2;
    if (costs.empty()) return;
    const auto [least, most] = std::ranges::minmax(largest, {}, [](const Run* run) { return cost_of(*run); });
    const double low = cost_of(*least), high = cost_of(*most);
    if (!(high >= apart * low)) return;
    fit.warnings.push_back(
        {Refusal::mixed_conventions,
         "C / (N D) at the largest compute is " + format_significant(low, 3) + " (" + least->name + ") to " +
             format_significant(high, 3) + " (" + most->name + "; the optimum at a budget takes " +
             format_significant(taken, 3) + " for all, and such models of its N and D would cost " +
             format_significant(low / taken, 2) + " to " + format_significant(high / taken, 2) +
             " times the budget) count N and C alike, or fit the kinds of models apart"});
}

std::optional<Reason> mixes_dense_and_sparse(const std::vector<Run>& runs) {
    const auto is_sparse = [](const Run& run) {
        constexpr double whole = 0.99;
        return run.experts.value_or(1) > 1 ||
               run.active_parameters.value_or(run.parameters) < whole * run.parameters;
    };
    const auto sparse = static_cast<std::size_t>(std::ranges::count_if(runs, is_sparse));
    if (sparse == 0 || sparse == runs.size()) return std::nullopt;
    return Reason{
        Refusal::mixed_conventions,
        std::to_string(sparse) + " of " + std::to_string(runs.size()) +
            " runs are of sparse models, the others of dense ones (a token passes through a part of "
            "their N alone, so that N is not worth the same in both) fit them apart, with --where "
            "or a column family="};
}

double lowest_loss(const std::vector<Run>& runs) {
    double lowest = std::numeric_limits<double>::infinity();
    for (const Run& run : runs)
        lowest = std::min(lowest, run.loss);
    return lowest;
}

std::optional<Reason> misses_the_best_run(const std::vector<Run>& runs, const LossSurface::Loss& law) {
    constexpr double much = 0.03;  // of noise a lucky best run has less
    const Run& best =
        *std::min_element(runs.begin(), runs.end(), [](auto& a, auto& b) { return a.loss < b.loss; });
    const double expected = law(best.parameters, best.tokens), off = expected / best.loss - 1;
    if (!(std::abs(off) > much)) return std::nullopt;
    return Reason{Refusal::poor_prediction,
                  "of the run of lowest loss, " + best.name + ", it expects " +
                      format_quantity(expected, Quantity::loss) + ", " +
                      format_quantity(std::abs(off), Quantity::percent) + (off > 0 ? " more" : " less") +
                      " than the " + format_quantity(best.loss, Quantity::loss) +
                      " that it came to (the law follows other runs than the best) expect no less of its "
                      "errors beyond the runs; leave out runs far from the best sizes, or use another law"};
}

}  // namespace isogrid::analysis
