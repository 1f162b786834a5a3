// From laws to a decision: what to train for a budget, and what to train when the model will also be used.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// The cheapest model over its whole life that reaches the same loss as the optimum of a training budget: it
/// is smaller and trained on more, as every token that it reads or writes later costs k N / 3, a third of one
/// that it is trained on: 2 N where k, C / (N D) of training, is 6 (Sardana et al. 2023, arXiv 2401.00448,
/// equation 2).
struct Lifetime {
    double inference_tokens = 0;       ///< T
    Estimate parameters, tokens;       ///< N and D of least k N D + k N T / 3, with L(N, D) as before
    Estimate training_flops;           ///< k N D
    Estimate total_flops;              ///< k N D + k N T / 3
    double compute_optimal_total = 0;  ///< the same sum for the model that is cheapest to train
};

/// What to train for a budget, by the law that is trusted most.
struct Decision {
    std::string law;     ///< whose N, D and loss these are
    double flops = 0;    ///< C
    double decades = 0;  ///< log10 of C over the largest run fitted; below 0 inside the runs
    Estimate parameters, tokens, loss;
    std::optional<double> reached_already;     ///< the lowest loss of the runs, where no less is expected
    bool floorless = false;                    ///< the law's loss falls to 0: beyond the runs, a lower limit
    std::optional<Estimate> batch;             ///< in the unit of the runs' batches
    std::optional<double> batch_unit;          ///< tokens in one such unit; nothing where the runs do not say
    std::optional<Estimate> learning_rate;     ///< peak
    std::optional<Estimate> steps;             ///< tokens / (batch unit); nothing where the unit is not known
    std::string batch_law, learning_rate_law;  ///< who says so; empty where none does
    bool swept = false;                        ///< rates or batches were swept, and no law came of it
    std::string batch_follows;                 ///< what that law's batch is a power of: `N and D`, `L`
    std::optional<Lifetime> lifetime;
    std::vector<Reason> warnings;  ///< that who uses these numbers must not miss
};

/// How far off the losses were that a law had not seen (HeldOut); infinite where it was not tried.
double held_out_error_of_loss(const LawFit& fit);

/// Whether N, D and loss may be taken from its surface: the joint law where it stands; another where it was
/// tried on runs held out too, and none of its parameters is at a bound or without a limit.
bool may_decide(const LawFit& fit);

/// What a law with a prediction or a surface expects of a budget: its own optimum, or that of its surface.
Prediction prediction_of(const LawFit& law, double flops);

/// The Lifetime on a surface for the loss that it reaches with `flops`; nothing when the surface does not
/// fall with the tokens.
std::optional<Lifetime> cheapest_life(const LossSurface& surface, double flops, double inference_tokens);

/// Decides for a budget. N, D and loss come from the joint law or from a rival that predicts held-out runs
/// clearly better, else from isoflop, else from the envelope, and last from a law whose floor a run has gone
/// below; nothing when none of them stands. `largest` is the largest compute of a run fitted, `batch_unit`
/// what tokens_per_batch_unit says of them.
std::optional<Decision> decide(std::span<const LawFit> fits, double flops, double largest,
                               std::optional<double> inference_tokens,
                               std::optional<double> batch_unit = std::nullopt);

}  // namespace isogrid::analysis
