// Everything one call of isogrid-fit has to say, as a value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/answer/decide.hpp"
#include "analysis/laws/law.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// What the best run's bits per byte are held against: a unigram model, xz.
struct Reference {
    std::string name;
    double bits_per_byte = 0;
};

/// A law whose subject the runs do not hold.
struct NotAsked {
    std::string law;
    std::vector<Role> missing;              ///< of what it needs
    std::vector<Role> unvaried;             ///< of what must differ between runs
    std::vector<std::string_view> studies;  ///< that it is about, where no run is of one
};

/// The studies that a law is about, where all runs are of others.
std::vector<std::string_view> missing_studies(const Law& law, const Runs& runs);

struct Answer {
    Runs runs;
    FitOptions options;
    std::vector<LawFit> fits;         ///< in the order of laws()
    std::vector<NotAsked> not_asked;  ///< laws whose subject the runs do not hold
    double largest_fitted = 0;        ///< FLOPs of the largest run behind a recommendation: not one held out
    std::vector<double> targets;      ///< FLOPs to recommend for
    std::vector<Prediction> predictions;  ///< by target, laws in reverse; a deciding law last
    std::vector<Prediction> rivals;       ///< of other forms of the joint law, by target; none decides there
    std::vector<Decision> decisions;      ///< one a target, where a law stands
    std::vector<Reason> warnings;         ///< about the runs as a whole
    std::vector<Reference> references;
    std::vector<std::string> notes;  ///< options that change nothing here, and why
};

/// What the runs do not say of what the law needs.
std::vector<Role> missing_roles(const Law& law, const Runs& runs);

/// The run of the fewest bits per byte among those of the largest compute (to 5%); null where no run knows
/// its bits per byte.
const Run* best_of_largest_budget(const Runs& runs);

/// Fits the laws named (all that the runs vary enough for when empty) that the runs can be asked about, and
/// predicts at the targets; without targets, at 100 times the largest budget fitted. With `inference_tokens`,
/// decisions say what is cheapest over a model's whole life. Takes at least one used run.
Answer answer(Runs runs, const std::vector<std::string>& law_names, const FitOptions& options,
              std::vector<double> targets, std::vector<Reference> references,
              std::optional<double> inference_tokens = std::nullopt);

}  // namespace isogrid::analysis
