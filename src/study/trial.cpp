#include "study/trial.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace isogrid::study {

BatchStage Trial::stage_after(std::int64_t done) const {
    BatchStage now{.step = 0, .batch = batch};
    for (const BatchStage& stage : batch_schedule)
        if (stage.step <= done) now = stage;
    return now;
}

std::int64_t Trial::sequences(std::int64_t done) const {
    std::int64_t total = 0;
    BatchStage now{.step = 0, .batch = batch};
    for (const BatchStage& stage : batch_schedule) {
        if (stage.step >= done) break;
        total += (stage.step - now.step) * now.batch;
        now = stage;
    }
    return total + (done - now.step) * now.batch;
}

std::int64_t Trial::steps_to(double sequences) const {
    BatchStage now{.step = 0, .batch = batch};
    double before = 0;  // this stage
    for (const BatchStage& stage : batch_schedule) {
        const double end = before + static_cast<double>((stage.step - now.step) * now.batch);
        if (end >= sequences) break;
        before = end;
        now = stage;
    }
    return now.step + std::llround((sequences - before) / static_cast<double>(now.batch));
}

double Trial::part_done(std::int64_t done) const {
    if (steps <= 0) return 1;
    const auto whole = static_cast<double>(sequences(steps));
    return std::clamp(static_cast<double>(sequences(done)) / whole, 0.0, 1.0);
}

Trial Trial::within(const BatchStage& stage) const {
    Trial trial = *this;
    trial.batch = stage.batch;
    trial.batch_schedule.clear();
    return trial;
}

bool Trial::changes_batch_after(std::int64_t done) const {
    return std::any_of(batch_schedule.begin(), batch_schedule.end(),
                       [&](const BatchStage& stage) { return stage.step == done; });
}

std::string_view name(ParametrizationKind kind) {
    switch (kind) {
        case ParametrizationKind::standard:
            return "standard";
        case ParametrizationKind::mup:
            return "mup";
        case ParametrizationKind::minicpm:
            return "minicpm";
    }
    throw std::invalid_argument("no such parametrization");
}

std::string_view name(ScheduleKind kind) {
    switch (kind) {
        case ScheduleKind::constant:
            return "constant";
        case ScheduleKind::cosine:
            return "cosine";
        case ScheduleKind::linear:
            return "linear";
        case ScheduleKind::warmup_stable_decay:
            return "warmup_stable_decay";
    }
    throw std::invalid_argument("no such schedule");
}

std::string_view name(DecayForm form) {
    switch (form) {
        case DecayForm::linear:
            return "linear";
        case DecayForm::cosine:
            return "cosine";
        case DecayForm::square_root:
            return "square_root";
    }
    throw std::invalid_argument("no such form of decay");
}

std::string_view name(Precision precision) {
    switch (precision) {
        case Precision::float32:
            return "float32";
        case Precision::bfloat16:
            return "bfloat16";
    }
    throw std::invalid_argument("no such precision");
}

std::string_view name(GradientSum sum) {
    switch (sum) {
        case GradientSum::tree:
            return "tree";
        case GradientSum::all_reduce:
            return "all_reduce";
    }
    throw std::invalid_argument("no such sum of gradients");
}

std::string_view name(EvaluationSample sample) {
    switch (sample) {
        case EvaluationSample::first:
            return "first";
        case EvaluationSample::spread:
            return "spread";
    }
    throw std::invalid_argument("no such sample of the validation part");
}

}  // namespace isogrid::study
