#include "archive/record.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <utility>

#include "base/digest.hpp"

namespace isogrid::archive {

namespace {

/// From this version on records have gradient noise, studies and variants.
constexpr int first_version_with_noise = 3;

constexpr std::array<std::pair<Outcome, std::string_view>, 5> outcome_names = {{
    {Outcome::completed, "completed"},
    {Outcome::diverged, "diverged"},
    {Outcome::out_of_memory, "out_of_memory"},
    {Outcome::failed, "failed"},
    {Outcome::interrupted, "interrupted"},
}};

/// Values as bytes that are the same on every machine.
class CanonicalBytes {
  public:
    void add(std::uint64_t value) {
        std::array<char, 8> bytes{};
        for (std::size_t i = 0; i < bytes.size(); ++i)
            bytes[i] = static_cast<char>((value >> 8 * i) & 0xff);
        bytes_.append(bytes.data(), bytes.size());
    }
    void add(std::int64_t value) { add(static_cast<std::uint64_t>(value)); }
    void add(double value) {
        constexpr std::uint64_t the_nan = 0x7ff8000000000000;
        add(std::isnan(value) ? the_nan : std::bit_cast<std::uint64_t>(value));
    }
    void add(std::string_view text) {
        add(static_cast<std::uint64_t>(text.size()));
        bytes_ += text;
    }

    const std::string& bytes() const { return bytes_; }

  private:
    std::string bytes_;
};

void add(CanonicalBytes& bytes, std::int64_t index, const study::PlannedTrial& planned,
         std::string_view specification) {
    bytes.add(index);
    bytes.add(std::string_view(planned.name));
    bytes.add(planned.budget);
    bytes.add(specification);
    for (const std::int64_t count :
         {planned.parameters.embedding, planned.parameters.head, planned.parameters.attention,
          planned.parameters.mlp, planned.parameters.norm})
        bytes.add(count);
    for (const study::FlopConvention convention : study::flop_conventions)
        bytes.add(planned.flops_per_token.under(convention));
}

void add(CanonicalBytes& bytes, const GradientNoise& noise) {
    bytes.add(noise.signal);
    bytes.add(noise.variance);
}

void add(CanonicalBytes& bytes, const TrialResult& result, bool with_noise) {
    bytes.add(name(result.outcome));
    bytes.add(result.cause);
    bytes.add(result.steps_done);
    bytes.add(result.training_loss);
    bytes.add(result.validation_loss);
    bytes.add(result.bits_per_byte);
    bytes.add(result.weights_digest);
    bytes.add(static_cast<std::uint64_t>(result.curve.size()));
    for (const CurvePoint& point : result.curve) {
        bytes.add(point.step);
        bytes.add(point.tokens);
        for (const double value : {point.flops, point.training_loss, point.validation_loss,
                                   point.learning_rate, point.gradient_norm})
            bytes.add(value);
        if (!with_noise) continue;
        add(bytes, point.noise);
        for (const GradientNoise& noise : point.noise_of_group)
            add(bytes, noise);
    }
}

}  // namespace

std::string_view name(Outcome outcome) {
    for (const auto& [known, text] : outcome_names)
        if (known == outcome) return text;
    return "unknown";
}

std::optional<Outcome> parse_outcome(std::string_view text) {
    for (const auto& [known, its_name] : outcome_names)
        if (its_name == text) return known;
    return std::nullopt;
}

bool is_finished(Outcome outcome) {
    return outcome == Outcome::completed || outcome == Outcome::diverged;
}

bool is_failure(Outcome outcome) {
    return outcome == Outcome::failed || outcome == Outcome::out_of_memory;
}

std::string digest(const TrialRecord& record) {
    return digest(record, study::canonical_text(record.planned.trial));
}

std::string digest(const TrialRecord& record, std::string_view specification) {
    CanonicalBytes bytes;
    const bool with_noise = record.planned.trial.numerics >= first_version_with_noise;
    bytes.add(std::string_view(with_noise ? "isogrid-record/2" : "isogrid-record/1"));
    add(bytes, record.index, record.planned, specification);
    if (with_noise) {
        bytes.add(static_cast<std::uint64_t>(record.planned.studies.size()));
        for (const std::string& study : record.planned.studies)
            bytes.add(std::string_view(study));
        bytes.add(std::string_view(record.planned.variant));
    }
    add(bytes, record.result, with_noise);
    return base::sha256(bytes.bytes());
}

}  // namespace isogrid::archive
