// Loss over the proportions of mixed data: three forms of the law, each fitted and tried on runs left out.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/fit/bootstrap.hpp"
#include "analysis/fit/options.hpp"
#include "analysis/fit/refusal.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

using Shares = std::vector<double>;
using LossOfShares = std::function<double(std::span<const double> shares)>;

/// Runs alike but for their mixture.
struct Mixtures {
    std::vector<std::string> sources;
    std::vector<const Run*> runs;
    std::vector<Shares> shares;  ///< that add up to 1
    std::vector<double> log_loss;
    Shares low, high;  ///< of each source, as tried

    Mixtures(const std::vector<std::string>& names, std::vector<const Run*> some)
        : sources(names), runs(std::move(some)), low(names.size(), 1), high(names.size(), 0) {
        for (const Run* run : runs) {
            const double sum = std::accumulate(run->shares.begin(), run->shares.end(), 0.0);
            shares.push_back(run->shares);
            for (std::size_t j = 0; j < sources.size(); ++j) {
                shares.back()[j] /= sum;
                low[j] = std::min(low[j], shares.back()[j]), high[j] = std::max(high[j], shares.back()[j]);
            }
            log_loss.push_back(std::log(run->loss));
        }
    }
    /// Ten folds, or one of each mixture where there are fewer: of each run the fold that it is left out
    /// with. Mixtures in the order of their shares go to each fold in turn, so that the order of the runs
    /// does not matter, and those of one mixture (its seeds) are left out together.
    std::vector<std::size_t> folds() const {
        constexpr std::size_t most = 10;
        std::map<Shares, std::size_t> by_shares;
        for (const Shares& some : shares)
            by_shares[some] = 0;
        std::size_t next = 0;
        for (auto& [some, fold] : by_shares)
            fold = next++ % most;
        std::vector<std::size_t> fold_of;
        for (const Shares& some : shares)
            fold_of.push_back(by_shares.at(some));
        return fold_of;
    }
    Mixtures without(std::size_t left_out, std::span<const std::size_t> fold_of) const {
        std::vector<const Run*> some;
        for (std::size_t i = 0; i < runs.size(); ++i)
            if (fold_of[i] != left_out) some.push_back(runs[i]);
        return {sources, some};
    }
};

/// A form of the law, fitted, and again in each replicate.
struct MixtureForm {
    std::string name;
    std::size_t coefficients = 0;
    std::optional<Reason> refused;
    LossOfShares loss;
    std::vector<LossOfShares> replicates;
    std::vector<Parameter> parameters;
    std::vector<Reason> warnings;
    std::vector<std::string> notes;
    double widening = 1;
    double objective = std::numeric_limits<double>::quiet_NaN();
    double held_out = std::numeric_limits<double>::quiet_NaN();  ///< mean relative error of runs left out
};

/// The form called `exponential`, L = c + k exp(sum of t_j r_j) (Ye et al. 2024), or log L linear in the
/// shares: `offsets`, or in their products too: `quadratic` (Scheffe 1958).
MixtureForm fit_form(const std::string& name, const Mixtures& data, const FitOptions& options);

/// Mean relative error of runs left out, a fold at a time, and what was predicted of each; NaN where a fit
/// without some is refused.
double held_out_error(const std::string& name, const Mixtures& data, const FitOptions& options,
                      std::vector<double>* predicted);

}  // namespace isogrid::analysis
