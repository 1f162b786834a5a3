// The isoFLOP budgets of a study: the losses of each, how noisy they are, and where the lowest lies.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/fit/options.hpp"
#include "analysis/fit/parabola.hpp"
#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// Where a budget's loss is lowest, by one method.
struct Bottom {
    std::optional<Refusal> refused;  ///< too_few_runs, edge_minimum or concave; absent: the rest stands
    double log_n = std::numeric_limits<double>::quiet_NaN();
    double loss = std::numeric_limits<double>::quiet_NaN();
};

/// Runs of one size and budget that differ by their seed alone.
struct Repeats {
    double mean = 0;      ///< of their losses
    double variance = 0;  ///< unbiased
    double freedom = 0;   ///< runs less one
};

/// The losses of one budget by rising size: of runs that differ by their seed the mean, of recipes the best.
struct Budget {
    double flops = 0;
    std::vector<double> log_n, log_d, loss;
    std::vector<double> runs;             ///< averaged into each loss
    std::vector<double> error;            ///< standard deviation of each loss
    std::vector<double> published_error;  ///< the same as the runs state it; NaN where they do not
    std::vector<Repeats> repeats;
    std::size_t set_aside = 0;  ///< runs left out because another recipe did better at their size
    Window window;
    LocalMinimum near;  ///< the parabola and the sizes it runs through
    Bottom parabola, akima;

    const Bottom& bottom(MinimumBy by) const { return by == MinimumBy::akima ? akima : parabola; }
    /// Tokens at a size, linear in logarithms between the runs.
    double tokens_at(double log_n) const;
    Optimum optimum_at(double log_n, double loss) const;
    /// Mean distance of neighbouring sizes in log N.
    double spacing() const;
};

/// How far a loss would move with another seed: log sigma = level + slope log L.
struct SeedNoise {
    enum class Source { repeats, stated, scatter, none };
    Source source = Source::none;
    double level = 0, slope = 1;
    double freedom = 0;  ///< how many degrees of freedom tell of it; infinite when it is stated
    bool grows = false;  ///< the slope was fitted too

    double at(double loss) const;
};

/// Runs that share a budget and have two sizes or more. A budget's FLOPs are its nominal ones where the runs
/// meet them within 2%, else (another counting convention) the geometric mean of what the runs spent.
std::vector<Budget> gather_budgets(const Runs& runs);

/// Finds every budget's minimum both ways. Parabolas take a narrow window, or a wider one where grids are so
/// sparse that hardly one has a fourth point in it: parabolas through all of their points say nothing of
/// their error.
void find_minima(std::vector<Budget>& budgets);

/// The lowest of the losses over rising log N.
Bottom lowest_by_parabola(const Budget& budget, const std::vector<double>& loss);
Bottom lowest_by_akima(const std::vector<double>& log_n, const std::vector<double>& loss);

/// The noise from repeats where there are such, else as the runs state it, else from the scatter about the
/// parabolas; written into every budget's `error`.
SeedNoise measure_noise(std::vector<Budget>& budgets);

/// log sigma = level + slope log L for the repeats, by maximum likelihood of their variances; the slope only
/// where the losses span enough to show it, else 1.
SeedNoise fit_seed_noise(const std::vector<Repeats>& repeats);

/// Why a budget has no minimum, and what to do.
std::string explain(const Budget& budget, MinimumBy by);

}  // namespace isogrid::analysis
