// The table of laws.
#include <array>

#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

std::span<const Law> laws() {
    using enum Role;
    static const std::array table = {
        Law{"envelope",
            {parameters, tokens, flops, loss},
            "Lower envelope of the training curves",
            "N* = k C^a, D* = m C^b on min over runs of L(C)",
            "Hoffmann et al. 2022, section 3.1 (approach 1)",
            fit_envelope},
        Law{"isoflop",
            {parameters, tokens, flops, loss},
            "Minima of the isoFLOP parabolas",
            "L = L* + c (log N - log N*)^2 a budget; N* = k C^a, D* = m C^b",
            "Hoffmann et al. 2022, section 3.2 (approach 2)",
            fit_isoflop},
        Law{"joint",
            {parameters, tokens, flops, loss},
            "Joint law of size and data",
            "L(N, D) = E + A / N^alpha + B / D^beta",
            "Hoffmann et al. 2022, section 3.3 (approach 3)",
            fit_joint},
        Law{"critical_batch",
            {parameters, loss, batch, steps},
            "Critical batch size",
            "(S / Smin - 1)(E / Emin - 1) = 1 with E = B S; Bcrit = Emin / Smin; Bcrit = c N^a, B* / L^(1 / "
            "alpha_B)",
            "McCandlish et al. 2018, section 2.3; Kaplan et al. 2020, equations 5.1 to 5.3; Zhang et al. "
            "2024",
            fit_critical_batch,
            {batch}},
        Law{"hyperparameters",
            {parameters, tokens, loss, learning_rate},
            "Learning rate and batch for a size and an amount of data",
            "log L = quadratic in log eta, log B a sweep; eta = c N^a D^b, B = m N^p D^q, B = k L^r",
            "Li et al. 2025 (Step law); Bi et al. 2024 (DeepSeek LLM), section 3.1",
            fit_hyperparameters,
            {learning_rate}},
        Law{"mup",
            {loss, learning_rate, width},
            "Transfer of the learning rate across widths",
            "eta = c width^slope for each parametrization; transfer: slope 0",
            "Yang et al. 2022",
            fit_mup,
            {learning_rate, width}},
        Law{"mixture",
            {loss, share},
            "Loss over the proportions of mixed data",
            "L(r) = c + k exp(sum over sources j of t_j r_j)",
            "Ye et al. 2024, section 3; Scheffe 1958",
            fit_mixture},
        Law{"experts",
            {parameters, loss, experts},
            "Effective parameters of sparse models",
            "log L = a log N + b log E^ + c log N log E^ + d",
            "Clark et al. 2022",
            fit_experts,
            {experts}},
        Law{"repetition",
            {parameters, tokens, loss, unique_tokens},
            "Repeated data and excess parameters",
            "L = E + A / N'^alpha + B / D'^beta, D' = U_D (1 + R_D* (1 - exp(-R_D / R_D*))), the same for N'",
            "Muennighoff et al. 2023, equations 5 and 6",
            fit_repetition},
        Law{"overtraining",
            {parameters, tokens, loss},
            "Loss of models trained longer than compute-optimally",
            "L(C, M) = E + (a M^eta + b M^-eta) C^-eta with M = D / N",
            "Gadre et al. 2024, section 2.1, equation 4",
            fit_overtraining},
        Law{"downstream",
            {parameters, tokens, loss, error},
            "Error on tasks from loss",
            "error = epsilon - k exp(-gamma L); beside it a sigmoid; L from a law of size and data",
            "Gadre et al. 2024, section 2.2, equation 5; Bhagia et al. 2024 (sigmoid)",
            fit_downstream},
    };
    return table;
}

}  // namespace isogrid::analysis
