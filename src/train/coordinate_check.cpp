#include "train/coordinate_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/wording.hpp"
#include "graph/program.hpp"
#include "model/llama.hpp"
#include "train/communicator.hpp"
#include "train/trainer.hpp"

namespace isogrid::train {
namespace {

constexpr std::int64_t most_sequences = 4;
constexpr double steepest = 0.3;

/// Validation sequences to look at; each has its last target behind it.
std::int64_t sequences_of(const study::Trial& trial, const data::TokenFile& tokens) {
    const auto all = static_cast<std::int64_t>(tokens.validation().size());
    return std::min(most_sequences, (all - 1) / trial.shape.context);
}

/// A model on the first validation sequences, its last residual stream and logits kept.
class Probe {
  public:
    Probe(const study::Trial& trial, const data::TokenFile& tokens, kernels::Backend& backend)
        : trial_(trial),
          backend_(backend),
          model_(kept(trial, sequences_of(trial, tokens))),
          program_(model_.graph, backend) {
        for (std::int64_t i = 0; i < model_.graph.rows(); ++i) {
            inputs_.push_back(tokens.validation()[static_cast<std::size_t>(i)]);
            targets_.push_back(tokens.validation()[static_cast<std::size_t>(i + 1)]);
        }
    }

    struct Values {
        std::vector<float> stream, logits;
    };

    /// `weights` in the layout of the program.
    Values run(std::span<const float> weights) {
        const kernels::Storage there = backend_.allocate(weights.size_bytes());
        backend_.copy_in(there.get(), weights.data(), weights.size_bytes());
        program_.parameters()->pack({reinterpret_cast<const float*>(there.get()), weights.size()});
        program_.run(inputs_, targets_, {});
        return {copied(program_.values(model_.stream)), copied(program_.values(model_.logits))};
    }

    std::vector<float> initial_weights() const {
        return model::initial_weights(model_.roles, program_.layout(), trial_.shape, trial_.parametrization,
                                      trial_.seed);
    }

    /// From the order of archives to the layout.
    std::vector<float> laid_out(std::span<const float> packed) const {
        const graph::ParameterLayout& layout = program_.layout();
        std::vector<float> weights(static_cast<std::size_t>(layout.floats), 0.0f);
        for_each_tensor(layout, [&](std::size_t packed_first, std::size_t laid_first, std::size_t size) {
            std::copy_n(packed.data() + packed_first, size, weights.data() + laid_first);
        });
        return weights;
    }

  private:
    static model::Llama kept(const study::Trial& trial, std::int64_t sequences) {
        model::Llama model =
            model::build_forward(trial.shape, trial.parametrization, trial.precision, sequences);
        model.graph.keep(model.stream);
        model.graph.keep(model.logits);
        return model;
    }

    std::vector<float> copied(std::span<const float> values) {
        std::vector<float> copy(values.size());
        backend_.copy_out(copy.data(), values.data(), values.size_bytes());
        return copy;
    }

    const study::Trial& trial_;
    kernels::Backend& backend_;
    model::Llama model_;
    graph::Program program_;
    std::vector<kernels::TokenId> inputs_, targets_;
};

double root_mean_square(std::span<const float> values) {
    double total = 0;
    for (const float value : values)
        total += static_cast<double>(value) * value;
    return std::sqrt(total / static_cast<double>(values.size()));
}

std::vector<float> difference(std::vector<float> after, std::span<const float> before) {
    for (std::size_t i = 0; i < after.size(); ++i)
        after[i] -= before[i];
    return after;
}

}  // namespace

CoordinateSizes coordinate_sizes(const study::Trial& trial, const data::TokenFile& tokens,
                                 kernels::Backend& backend, std::int64_t steps) {
    study::Trial few = trial;
    few.schedule = {.kind = study::ScheduleKind::constant};
    few.steps = steps;
    few.evaluation = {.tokens = sequences_of(trial, tokens) * trial.shape.context, .steps = {steps}};
    Alone alone;
    const archive::TrialResult trained = train(few, tokens, backend, alone, {});
    Probe probe(few, tokens, backend);
    const Probe::Values before = probe.run(probe.initial_weights());
    CoordinateSizes sizes{.width = trial.shape.width, .stream = root_mean_square(before.stream)};
    if (trained.weights.empty()) {  // diverged within a few steps
        sizes.stream_change = sizes.logit_change = std::numeric_limits<double>::infinity();
        return sizes;
    }
    const Probe::Values after = probe.run(probe.laid_out(trained.weights));
    const double scale = model::logit_scale(trial.shape, trial.parametrization);
    sizes.stream_change = root_mean_square(difference(after.stream, before.stream));
    sizes.logit_change = scale * root_mean_square(difference(after.logits, before.logits));
    return sizes;
}

double coordinate_slope(const std::vector<CoordinateSizes>& sizes, double CoordinateSizes::*size) {
    double x = 0, y = 0, xx = 0, xy = 0;
    const auto count = static_cast<double>(sizes.size());
    for (const CoordinateSizes& each : sizes) {
        const double log_width = std::log(static_cast<double>(each.width)), log_size = std::log(each.*size);
        x += log_width;
        y += log_size;
        xx += log_width * log_width;
        xy += log_width * log_size;
    }
    return (count * xy - x * y) / (count * xx - x * x);
}

base::Faults coordinate_faults(const std::vector<CoordinateSizes>& sizes, const std::string& where) {
    for (const CoordinateSizes& each : sizes)
        if (!std::isfinite(each.stream) || !std::isfinite(each.stream_change) ||
            !std::isfinite(each.logit_change))
            return {{where, "the coordinate check tells nothing",
                     "width " + std::to_string(each.width) +
                         " diverged within its few steps, at the middle one of the learning rates",
                     "lower the learning rates, or set mup.coordinate_check = false"}};
    base::Faults faults;
    const auto check = [&](const char* what, double CoordinateSizes::*size) {
        const double slope = coordinate_slope(sizes, size);
        if (std::abs(slope) <= steepest) return;
        faults.push_back({where, std::string(what) + " do not keep their size as the model widens",
                          "it goes as width^" + base::rounded(slope, 2) + " from width " +
                              std::to_string(sizes.front().width) + " to " +
                              std::to_string(sizes.back().width) +
                              ", where muP promises width^0 (within 0.3)",
                          "lower the learning rates, correct the multipliers, or set "
                          "mup.coordinate_check = false"});
    };
    check("activations", &CoordinateSizes::stream);
    check("updates of activations", &CoordinateSizes::stream_change);
    check("updates of logits", &CoordinateSizes::logit_change);
    return faults;
}

base::Faults check_coordinates(const study::Study& study, const data::TokenFile& tokens,
                               kernels::Backend& backend) {
    constexpr std::int64_t steps = 4;
    if (!study.job.mup || !study.job.mup->coordinate_check) return {};
    std::vector<double> rates = study.job.mup->learning_rates;
    std::sort(rates.begin(), rates.end());
    using Ladder = std::pair<study::ParametrizationKind, std::int64_t>;  // and depth
    std::map<Ladder, std::map<std::int64_t, CoordinateSizes>> ladders;   // by width
    for (const study::PlannedTrial& planned : study.grid.trials) {
        const study::Trial& trial = planned.trial;
        const bool of_mup =
            std::find(planned.studies.begin(), planned.studies.end(), "mup") != planned.studies.end() &&
            trial.parametrization.kind != study::ParametrizationKind::standard;
        if (!of_mup || trial.optimizer.learning_rate != rates[rates.size() / 2]) continue;
        const auto [entry, is_new] =
            ladders[{trial.parametrization.kind, trial.shape.depth}].try_emplace(trial.shape.width);
        if (is_new) entry->second = coordinate_sizes(trial, tokens, backend, steps);
    }
    base::Faults faults;
    for (const auto& [ladder, widths] : ladders) {
        std::vector<CoordinateSizes> sizes;
        for (const auto& [width, at_width] : widths)
            sizes.push_back(at_width);
        if (sizes.size() < 2) continue;
        const std::string where = study.job.path.string() + ": mup";
        const bool plain = ladder.first == study::ParametrizationKind::mup;
        const base::Faults found =
            coordinate_faults(sizes, plain ? where : where + ": " + std::string(study::name(ladder.first)));
        faults.insert(faults.end(), found.begin(), found.end());
    }
    return faults;
}

}  // namespace isogrid::train
