// Families of models on one axis of compute: the runs that count, and the law of them all.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "analysis/figures/extent.hpp"
#include "analysis/fit/options.hpp"
#include "analysis/fit/parametric.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// A family's loss at some compute: the lowest of a budget's sizes, or the best of its runs there.
struct FamilyPoint {
    std::size_t family = 0;
    double flops = 0, loss = 0;
};

struct FamilyPoints {
    std::vector<std::string> families;  ///< in order of first appearance; the first is the reference
    std::vector<FamilyPoint> used;
    std::size_t left_out = 0;   ///< runs that something of their family with no more compute beats
    bool minima = false;        ///< points are where the losses of a budget are lowest over size
    std::vector<double> sizes;  ///< of each family, tried at a compute: the mean

    /// The least and the most compute of a point.
    Extent span() const;
    std::size_t count(std::size_t family) const;
};

/// Along rising compute, a family's runs that go below all of its cheaper ones; what two families share
/// counts for both. Runs that differ by their seed alone are one, of their mean loss: the lowest of many
/// seeds is lower than that of one.
FamilyPoints lower_envelopes(const Runs& runs);

/// Each family's budgets where their losses are lowest over size, as the law isoflop finds it (`by`): the
/// lowest of many sizes, with their noise, is lower than that of few, and the minimum of a curve through them
/// is not. Budgets without a minimum inside are left out.
FamilyPoints budget_minima(const Runs& runs, MinimumBy by);

/// log L_f = log(exp(e) + exp(a_f - alpha_f x)), x = log C from its mean. Coordinates: e, a of each family,
/// then one alpha or one of each family.
struct FamilyForm {
    std::size_t families = 0;
    bool shared = true;
    double mean = 0;  ///< of log C

    std::size_t parameters() const { return 1 + families + (shared ? 1 : families); }
    std::size_t a(std::size_t family) const { return 1 + family; }
    std::size_t alpha(std::size_t family) const { return 1 + families + (shared ? 0 : family); }

    /// Of reported values: E, A of each family (the loss above E at one FLOP), alpha.
    double loss(std::span<const double> values, std::size_t family, double flops) const;
    /// The compute at which the reference reaches what `family` reaches with `flops`, over `flops`.
    double multiplier(std::span<const double> values, std::size_t family, double flops) const;
    /// Where the family's law meets the reference's; NaN for equal slopes.
    double crossing(std::span<const double> values, std::size_t family) const;
};

/// The form as it is fitted to the points of families of these names.
ParametricLaw law_of(const FamilyForm& form, const std::vector<FamilyPoint>& points,
                     const std::vector<std::string>& names);

}  // namespace isogrid::analysis
