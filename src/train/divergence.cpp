#include "train/divergence.hpp"

#include <algorithm>

namespace isogrid::train {

namespace {

using archive::CurvePoint;

enum class Place { below, above, unknown };

/// Where a loss is beside the one it started from. A training loss is of one batch, and has its noise: alone
/// it says nothing where it is a little higher. The validation loss is always of the same text. Where it is
/// above its start while the training loss is less than half of that, the model overfits, which is a result.
Place place(const CurvePoint& row, double initial_loss) {
    constexpr double batch_noise_margin = 1.1, overfitting = 0.5;
    if (row.training_loss > batch_noise_margin * initial_loss) return Place::above;
    if (row.validation_loss > initial_loss)
        return row.training_loss < overfitting * initial_loss ? Place::below : Place::above;
    const bool is_below = row.validation_loss <= initial_loss || row.training_loss < initial_loss;
    return is_below ? Place::below : Place::unknown;
}

/// Since which step the loss has been above its start without a pause; -1: it is not.
std::int64_t above_start_since(std::span<const CurvePoint> curve, std::int64_t warmup_steps) {
    std::int64_t since = -1;
    for (auto row = curve.rbegin(); row != curve.rend(); ++row) {
        const Place here = place(*row, curve.front().validation_loss);
        if (row->step <= warmup_steps || here == Place::below) break;
        if (here == Place::above) since = row->step;
    }
    return since;
}

}  // namespace

std::string divergence(std::span<const CurvePoint> curve, std::int64_t warmup_steps) {
    constexpr std::int64_t fewest_steps = 64, parts = 20;
    const std::int64_t since = above_start_since(curve, warmup_steps), step = curve.back().step;
    if (since < 0 || step - since < std::max(fewest_steps, step / parts)) return "";
    return "the loss was above the one it started from all the way from step " + std::to_string(since) +
           " to step " + std::to_string(step);
}

std::string divergence_at_end(std::span<const CurvePoint> curve, std::int64_t warmup_steps) {
    return above_start_since(curve, warmup_steps) < 0
               ? ""
               : "the loss at its end is above the one it started from";
}

}  // namespace isogrid::train
