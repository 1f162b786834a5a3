#include "analysis/laws/critical_batch_cells.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "analysis/figures/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::size_t fewest_batches = 3;
constexpr double vague = 0.7;  ///< a standard error of log Bcrit beyond a factor of two
constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// Steps at which a curve first falls to the loss, linear in log steps between its points; NaN where it never
/// does, or where its first point already lies below.
double steps_to(const Run& run, double loss) {
    for (std::size_t i = 0; i < run.curve.size(); ++i) {
        const CurveSample& here = run.curve[i];
        if (here.loss > loss) continue;
        if (i == 0 || !(run.curve[i - 1].step > 0) || !(here.step > 0)) return none;
        const CurveSample& before = run.curve[i - 1];
        const double share = (before.loss - loss) / (before.loss - here.loss);
        return std::exp(std::log(before.step) + share * std::log(here.step / before.step));
    }
    return none;
}

/// The gradient noise scale where a curve first falls to the loss: between the points before and behind it,
/// and one to each side, numerator and denominator apart (McCandlish et al. 2018, appendix A.1). NaN where it
/// was not measured.
double noise_at(const Run& run, double loss) {
    for (std::size_t i = 1; i < run.curve.size(); ++i) {
        if (run.curve[i].loss > loss) continue;
        double signal = 0, variance = 0;
        for (std::size_t j = i - 1; j <= std::min(i + 1, run.curve.size() - 1); ++j)
            if (std::isfinite(run.curve[j].noise_variance)) {
                signal += run.curve[j].noise_signal;
                variance += run.curve[j].noise_variance;
            }
        return signal > 0 && variance > 0 ? variance / signal : none;
    }
    return none;
}

/// Whether steps to a loss can be read off its curve.
bool tells_steps(const Run& run) {
    return run.curve.size() >= 3 && std::isfinite(run.curve.back().step);
}

double lowest_on_curve(const Run& run) {
    double lowest = std::numeric_limits<double>::infinity();
    for (const CurveSample& sample : run.curve)
        lowest = std::min(lowest, sample.loss);
    return lowest;
}

/// Targets of one size: the lowest loss that every batch reaches, and the losses that the run which needs the
/// fewest examples for it had after a half and a quarter of them.
std::vector<double> targets(const std::map<double, std::vector<const Run*>>& by_batch) {
    double hardest = 0;
    for (const auto& [batch, runs] : by_batch) {
        double lowest = std::numeric_limits<double>::infinity();
        for (const Run* run : runs)
            lowest = std::min(lowest, lowest_on_curve(*run));
        hardest = std::max(hardest, lowest);
    }
    const Run* cheapest = nullptr;
    double fewest = std::numeric_limits<double>::infinity();
    for (const auto& [batch, runs] : by_batch)
        for (const Run* run : runs)
            if (const double steps = steps_to(*run, hardest); steps * batch < fewest)
                fewest = steps * batch, cheapest = run;
    std::vector<double> losses = {hardest};
    for (const double share : {0.5, 0.25}) {
        if (cheapest == nullptr) break;
        const double step = share * fewest / *cheapest->batch;
        for (std::size_t i = 1; i < cheapest->curve.size(); ++i) {
            const CurveSample &before = cheapest->curve[i - 1], &here = cheapest->curve[i];
            if (!(before.step > 0) || here.step < step || before.step > step) continue;
            const double part = std::log(step / before.step) / std::log(here.step / before.step);
            const double loss = before.loss + part * (here.loss - before.loss);
            if (loss > losses.back() * 1.001) losses.push_back(loss);
            break;
        }
    }
    return losses;
}

/// A curve without its rises: neighbours that rise become their mean, until none does (isotonic regression by
/// pooling adjacent violators; Ayer et al. 1955). What is left of the noise does not make a target be met
/// early.
Run smoothed(Run run) {
    struct Pool {
        double loss = 0;
        std::size_t count = 0;
    };
    std::vector<Pool> pools;
    for (const CurveSample& sample : run.curve) {
        pools.push_back({sample.loss, 1});
        while (pools.size() > 1 && pools[pools.size() - 2].loss < pools.back().loss) {
            const Pool last = pools.back();
            pools.pop_back();
            Pool& pool = pools.back();
            const auto before = static_cast<double>(pool.count), more = static_cast<double>(last.count);
            pool = {(pool.loss * before + last.loss * more) / (before + more), pool.count + last.count};
        }
    }
    std::size_t at = 0;
    for (const Pool& pool : pools)
        for (std::size_t i = 0; i < pool.count; ++i)
            run.curve[at++].loss = pool.loss;
    return run;
}

/// Of each seed of a batch the run of fewest steps to a loss: the learning rate that suits it best.
struct Fewest {
    std::size_t seed = 0;  ///< its place among the seeds of the batch, whether or not others reach the loss
    double steps = 0, noise_scale = none;
};
std::vector<Fewest> fewest_steps(const std::vector<const Run*>& tried, double loss) {
    std::map<std::string, Fewest> by_seed;
    for (const Run* run : tried) {
        Fewest& best = by_seed[run->seed];
        const double steps = steps_to(*run, loss);
        if (std::isfinite(steps) && !(best.steps > 0 && best.steps <= steps))
            best = {0, steps, noise_at(*run, loss)};
    }
    std::vector<Fewest> fewest;
    std::size_t place = 0;
    for (auto& [seed, best] : by_seed) {
        best.seed = place++;
        if (best.steps > 0) fewest.push_back(best);
    }
    return fewest;
}

}  // namespace

double BatchCell::error(double deviation) const {
    return deviation * std::sqrt(law.critical_variance);
}

bool BatchCell::inside_batches() const {
    return law.log_critical >= log_batch.front() && law.log_critical <= log_batch.back();
}

std::string describe(const BatchCell& cell) {
    return format_quantity(cell.parameters, Quantity::parameters) + " parameters to loss " +
           format_significant(cell.loss, 5);
}

std::vector<BatchCell> cells_of_targets(const std::vector<Run>& runs) {
    using Key = std::tuple<double, double, std::string>;
    std::map<Key, std::map<std::pair<double, std::string>, double>> steps;
    std::map<Key, std::vector<double>> noise_scales;
    for (const Run& run : runs) {
        // The end of a curve is no target: that some curves end at the same (rounded) loss is chance.
        if (!run.batch || !run.steps || tells_steps(run)) continue;
        const Key key{run.parameters, -run.loss, run.family};
        const auto [at, fresh] = steps[key].try_emplace({*run.batch, run.seed}, *run.steps);
        at->second = std::min(at->second, *run.steps);
        if (run.noise_scale) noise_scales[key].push_back(*run.noise_scale);
    }
    std::vector<BatchCell> cells;
    std::size_t noise = 0;
    for (const auto& [key, points] : steps) {
        std::set<double> batches;
        for (const auto& [which, count] : points)
            batches.insert(which.first);
        if (batches.size() < fewest_batches) continue;
        BatchCell cell;
        std::tie(cell.parameters, cell.loss, cell.family) = key;
        cell.loss = -cell.loss;
        for (const auto& [which, count] : points) {
            cell.log_batch.push_back(std::log(which.first));
            cell.log_steps.push_back(std::log(count));
            cell.noise.push_back(noise++);
        }
        cell.noise_scale = median(noise_scales[key]);
        cells.push_back(std::move(cell));
    }
    for (BatchCell& cell : cells)
        cell.law = fit_steps(cell.log_batch, cell.log_steps);
    return cells;
}

std::vector<BatchCell> cells_of_curves(const std::vector<Run>& as_read,
                                       const std::vector<double>& asked_for) {
    std::vector<Run> runs;
    for (const Run& run : as_read)
        runs.push_back(smoothed(run));
    std::map<std::pair<double, std::string>, std::map<double, std::vector<const Run*>>> sizes;
    std::map<std::pair<double, std::string>, std::vector<double>> noise_scales;
    for (const Run& run : runs) {
        if (!run.batch || !tells_steps(run)) continue;
        sizes[{run.parameters, run.family}][*run.batch].push_back(&run);
        if (run.noise_scale) noise_scales[{run.parameters, run.family}].push_back(*run.noise_scale);
    }
    std::vector<BatchCell> cells;
    std::size_t first_noise = 0;
    for (const auto& [size, by_batch] : sizes) {
        if (by_batch.size() < fewest_batches) continue;
        std::size_t most_noise = 0;
        for (const double loss : asked_for.empty() ? targets(by_batch) : asked_for) {
            BatchCell cell;
            std::tie(cell.parameters, cell.family) = size;
            cell.loss = loss;
            cell.noise_scale = median(noise_scales[size]);
            std::size_t noise = first_noise;
            std::vector<double> at_target;
            for (const auto& [batch, tried] : by_batch) {
                for (const Fewest& fewest : fewest_steps(tried, loss)) {
                    cell.log_batch.push_back(std::log(batch));
                    cell.log_steps.push_back(std::log(fewest.steps));
                    cell.noise.push_back(noise + fewest.seed);
                    if (std::isfinite(fewest.noise_scale)) at_target.push_back(fewest.noise_scale);
                }
                noise += tried.size();
            }
            if (!at_target.empty()) {
                cell.noise_scale = median(at_target);
                cell.noise_at_target = true;
            }
            most_noise = std::max(most_noise, noise);
            const std::set<double> reached(cell.log_batch.begin(), cell.log_batch.end());
            if (reached.size() >= fewest_batches) cells.push_back(std::move(cell));
        }
        first_noise = std::max(first_noise, most_noise);
    }
    for (BatchCell& cell : cells)
        cell.law = fit_steps(cell.log_batch, cell.log_steps);
    return cells;
}

StepsNoise pooled_noise(const std::vector<BatchCell>& cells) {
    struct Curves {
        std::set<std::size_t> draws;
        double squares = 0, freedom = 0;  ///< summed over targets, as if each had curves of its own
    };
    std::vector<Curves> all;
    for (const BatchCell& cell : cells) {
        const bool seen =
            !all.empty() && std::any_of(cell.noise.begin(), cell.noise.end(),
                                        [&](std::size_t draw) { return all.back().draws.contains(draw); });
        Curves& curves = seen ? all.back() : all.emplace_back();
        curves.draws.insert(cell.noise.begin(), cell.noise.end());
        curves.squares += cell.law.squares;
        curves.freedom += static_cast<double>(cell.log_steps.size()) - 2;
    }
    StepsNoise noise;
    double squares = 0;
    for (const Curves& curves : all) {
        const double freedom = static_cast<double>(curves.draws.size()) - 2;
        squares += freedom * curves.squares / curves.freedom;
        noise.freedom += freedom;
    }
    noise.deviation = std::sqrt(squares / noise.freedom);
    return noise;
}

void refuse_if_unbounded(BatchCell& cell, const StepsNoise& noise) {
    const double low = std::exp(cell.log_batch.front()), high = std::exp(cell.log_batch.back());
    const auto refuse = [&](const std::string& what, const std::string& advice) {
        cell.refused = Reason{Refusal::unbounded, describe(cell) + ": " + what + " " + advice};
    };
    const bool above = cell.law.log_critical > 0.5 * (cell.log_batch.front() + cell.log_batch.back());
    const std::string tried = format_count(low) + " to " + format_count(high);
    if (cell.law.bend_seen && cell.error(noise.deviation) < vague) return;
    if (above)
        refuse("steps still fall in proportion to the batch (tried " + tried +
                   ": the critical batch lies above and has no upper limit)",
               "try larger batches");
    else
        refuse("steps hardly depend on the batch (tried " + tried +
                   ": the critical batch lies below and has no lower limit)",
               "try smaller batches");
}

RedrawnSteps redraw_steps(const std::vector<BatchCell>& cells, const StepsNoise& noise,
                          const FitOptions& options) {
    std::size_t draws = 0;
    for (const BatchCell& cell : cells)
        for (const std::size_t which : cell.noise)
            draws = std::max(draws, which + 1);
    const auto rows = bootstrap(options.bootstrap, options.seed, [&](Random& random) {
        const double deviation = noise.deviation * t_widening(noise.freedom);
        std::vector<double> moved(draws);
        for (double& move : moved)
            move = deviation * random.normal();
        std::vector<double> row;
        for (const BatchCell& cell : cells) {
            std::vector<double> log_steps;
            for (std::size_t i = 0; i < cell.log_batch.size(); ++i)
                log_steps.push_back(std::log(cell.law.steps(std::exp(cell.log_batch[i]))) +
                                    moved[cell.noise[i]]);
            const StepsLaw law = fit_steps(cell.log_batch, log_steps);
            row.insert(row.end(), {law.log_steps_min, law.log_critical});
        }
        return std::optional(row);
    });
    RedrawnSteps redrawn;
    for (const auto& row : rows) {
        redrawn.emplace_back();
        for (std::size_t c = 0; c < cells.size(); ++c)
            redrawn.back().push_back({row[2 * c], row[2 * c + 1]});
    }
    return redrawn;
}

Estimate estimate(const BatchCell& cell, const RedrawnSteps& redrawn, std::size_t which,
                  const std::function<double(const StepsLaw&)>& of) {
    std::vector<double> spread;
    for (const auto& laws : redrawn)
        spread.push_back(of(laws[which]));
    return summarize(of(cell.law), std::move(spread));
}

}  // namespace isogrid::analysis
