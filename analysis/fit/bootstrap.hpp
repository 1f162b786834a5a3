// How sure a fit is: the spread of its answers over resampled data (Efron and Tibshirani 1993, chapters 6,
// 13).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace isogrid::analysis {

/// A value with its standard error and 95% interval; both NaN when no bootstrap was made.
struct Estimate {
    double value = std::numeric_limits<double>::quiet_NaN();
    double se = std::numeric_limits<double>::quiet_NaN();
    double low = std::numeric_limits<double>::quiet_NaN();
    double high = std::numeric_limits<double>::quiet_NaN();
};

/// A number that a law has found.
struct Parameter {
    std::string name;
    Estimate estimate;
};

/// Random numbers whose values are the same with every standard library.
class Random {
  public:
    Random(std::uint64_t seed, std::uint64_t stream);
    std::size_t below(std::size_t count);  ///< uniform in 0 .. count - 1
    double normal();                       ///< mean 0, deviation 1

  private:
    double uniform();
    std::mt19937_64 engine_;
};

/// How often each of `count` observations is drawn in one resample with replacement.
std::vector<double> resample(std::size_t count, Random& random);

/// One replicate's numbers, or nothing where the fit failed. Must depend on its Random alone: replicates run
/// on several threads, and replicate k always sees stream k.
using Replicate = std::function<std::optional<std::vector<double>>(Random&)>;

/// The numbers of `count` replicates in order, failed ones left out.
std::vector<std::vector<double>> bootstrap(std::size_t count, std::uint64_t seed, const Replicate& replicate);

/// How much wider than its percentiles an interval from resampled cases must be, for p parameters fitted to n
/// observations: sqrt(n / (n - 1)) t(.975, n - p) / z(.975) (Hesterberg 2015, section 4.3.2, there for a
/// mean); 1 unless n > p. That p parameters make residuals too small by (n - p) / n is no part of it: the
/// design is drawn again with the cases, and its inverse information grows by about as much.
double case_widening(std::size_t observations, std::size_t parameters);

/// The same for residuals drawn again about one design, where nothing makes up for their being too small:
/// sqrt(n / (n - p)) t(.975, n - p) / z(.975).
double residual_widening(std::size_t observations, std::size_t parameters);

/// How many standard errors a 95% interval reaches to each side where the error was estimated with so many
/// degrees of freedom: t(.975, freedom).
double student_reach(double freedom);

/// How much wider than a normal one such an interval must be: t(.975, freedom) / z(.975); 1 for infinitely
/// many degrees of freedom. Noise redrawn that much larger gives Student's interval.
double t_widening(double freedom);

/// Value with the replicates' standard deviation and 2.5% to 97.5% percentiles, their distance from the value
/// (in logarithms where all are positive) times `widening`; NaN below 20 replicates.
Estimate summarize(double value, std::vector<double> replicates, double widening = 1);

/// Column `index` of bootstrap's result, summarized about `value`.
Estimate summarize(double value, const std::vector<std::vector<double>>& replicates, std::size_t index,
                   double widening = 1);

/// What `of` makes of a fit, with the spread of what it makes of each of the fit's replicates.
template <class Fit, class Replicates, class Of>
Estimate estimated(const Fit& fit, const Replicates& replicates, const Of& of, double widening = 1) {
    std::vector<double> spread;
    for (const auto& replicate : replicates)
        spread.push_back(of(replicate));
    return summarize(of(fit), std::move(spread), widening);
}

/// The `fraction` quantile of sorted values: the (n + 1) fraction-th, linear between neighbours (type 6 of
/// Hyndman and Fan 1996). One more draw lies below it with that probability, whatever n is, so that intervals
/// of few replicates hold what they say (Davison and Hinkley 1997, section 5.2.1); between the 2.5% and 97.5%
/// quantiles of 200 values by the more usual type 7 lie but 94%.
double quantile(std::span<const double> sorted, double fraction);

/// The quantile at a half of values in any order; NaN of none.
double median(std::vector<double> values);

}  // namespace isogrid::analysis
