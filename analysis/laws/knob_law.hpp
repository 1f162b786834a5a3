// Power laws of the best learning rate and the best batch, through the optima of sweeps.
#pragma once

#include <string>
#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/fit/log_line.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/laws/sweep.hpp"

namespace isogrid::analysis {

/// What the optimum of one knob may depend on.
struct Regressor {
    const char* key;     ///< `parameters_exponent`
    const char* symbol;  ///< N
    const char* title;
    Quantity quantity;
    double (*of)(const Sweep& sweep);
};

/// A sweep with an optimum, and its place in the list of all.
struct UsableSweep {
    const Sweep* sweep;
    std::size_t which;
};

/// The power law of one knob's optimum.
struct KnobLaw {
    std::string name;  ///< `learning_rate`
    std::vector<Regressor> in;
    std::vector<UsableSweep> sweeps;
    LogLine line;
    bool batch = false;  ///< else the learning rate
};

std::size_t knob_of(const Sweep& sweep, bool batch);

/// What the law of these sweeps can be in: size, data, or both; nothing where they are too few. Warns where
/// size and data moved together. `what` is the best of: `learning rate`.
std::vector<Regressor> choose_regressors(const std::vector<UsableSweep>& sweeps, const std::string& what,
                                         LawFit& fit);

/// Puts the loss at the optimum in the place of size and data; false where the losses differ too little.
bool put_in_loss(KnobLaw& law);

/// Fits `line` in what the law is `in`.
void fit_line(KnobLaw& law, const SweepNoise& noise, const std::vector<std::vector<Bowl>>& redrawn,
              const FitOptions& options);

/// Cuts by compute, 6 N D as far as the sweeps say them: the optima of large sweeps from those of small ones,
/// whatever the law is in, so that rivals can be held against each other. `fewest` sweeps below a cut.
std::vector<Cut> cuts_by_compute(const KnobLaw& law, const SweepNoise& noise, std::size_t fewest);

/// The optima of large sweeps from those of small ones.
void tell_validation(const KnobLaw& law, const SweepNoise& noise, LawFit& fit);

}  // namespace isogrid::analysis
