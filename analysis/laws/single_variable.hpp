// A law of loss over one variable, from the choice of its form to the picture; data.cpp, size.cpp and
// compute.cpp say which runs count.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// Runs in the order of one variable.
struct Ladder {
    std::string law;     ///< `data`
    std::string symbol;  ///< `D`
    Axis axis;           ///< of the variable
    std::vector<const Run*> used, left_out;
    double (*x)(const Run&) = nullptr;  ///< the variable
    const std::vector<Convention>* (*others)(const Run&) =
        nullptr;                     ///< it under every stored convention; null: none
    std::vector<std::string> notes;  ///< which runs were taken, and why
    std::string advice;              ///< what to do about too few
    /// Why the losses of such runs are not of the variable alone; absent where nothing else may differ, or
    /// all of it does (along compute).
    std::function<std::optional<Reason>(const std::vector<const Run*>& used)> not_alone;
};

/// The runs that `ladder` is to be made of: those that differ by their seed alone are one, with their mean
/// loss, as the lowest of several seeds is too low by more the more there are. A note says so.
std::vector<Run> mean_runs(const Runs& runs, Ladder& ladder);

/// Of runs with the same x (to 1e-6) the best, by rising x; worse ones are left out.
void keep_best_at_each(Ladder& ladder);

/// Leaves out each run that does no better than one with less of the variable: it lacked something else.
void keep_lower_envelope(Ladder& ladder);

/// The forms compared, the window found, E + A x^-alpha fitted with intervals, tables and figures.
LawFit fit_single_variable(Ladder ladder, const FitOptions& options);

}  // namespace isogrid::analysis
