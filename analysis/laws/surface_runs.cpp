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

double flops_per_parameter_token(const std::vector<Run>& runs) {
    const double largest =
        std::max_element(runs.begin(), runs.end(), [](auto& a, auto& b) { return a.flops < b.flops; })->flops;
    std::vector<double> factors;
    for (const Run& run : runs)
        if (run.flops > 0.5 * largest) factors.push_back(run.flops / (run.parameters * run.tokens));
    return factors.empty() ? 6 : median(std::move(factors));  // nobody says what they cost
}

std::string assumed_cost(double flops_per_parameter_token) {
    return "the optimum at a budget assumes C = " + format_significant(flops_per_parameter_token, 4) +
           " N D, as at the largest budget";
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
