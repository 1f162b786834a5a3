#include "study/specification_scanner.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>
#include <vector>

#include "base/names.hpp"

namespace isogrid::study {

namespace {

/// Walks over a text; once something is not as expected, nothing more is read.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : left_(text) {}

    bool at_end() const { return good_ && left_.empty(); }
    bool next_is(std::string_view word) const { return good_ && left_.starts_with(word); }

    Scanner& word(std::string_view expected) {
        good_ = next_is(expected);
        if (good_) left_.remove_prefix(expected.size());
        return *this;
    }

    template <class Number>
    Scanner& number(std::string_view key, Number& value) {
        word(key);
        if (!good_) return *this;
        const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
        good_ = error == std::errc{} && std::isfinite(static_cast<double>(value));
        if (good_) left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
        return *this;
    }

    /// A text of ASCII, without escapes.
    Scanner& text(std::string_view key, std::string& value) {
        word(key).word("\"");
        const std::size_t end = left_.find('"');
        good_ = good_ && end != std::string_view::npos && std::ranges::all_of(left_.substr(0, end), is_plain);
        if (!good_) return *this;
        value = left_.substr(0, end);
        left_.remove_prefix(end + 1);
        return *this;
    }

    template <class Value, std::size_t count>
    Scanner& choice(std::string_view key, Value& value, const std::array<Value, count>& values) {
        std::string name;
        text(key, name);
        const auto named = base::value_named(name, values);
        good_ = good_ && named.has_value();
        if (good_) value = *named;
        return *this;
    }

    Scanner& truth(std::string_view key, bool& value) {
        word(key);
        value = next_is("true");
        return word(value ? "true" : "false");
    }

    Scanner& numbers(std::string_view key, std::vector<std::int64_t>& values) {
        word(key).word("[");
        for (std::string_view before = ""; good_ && !next_is("]"); before = ",")
            number(before, values.emplace_back());
        return word("]");
    }

  private:
    static bool is_plain(char letter) { return letter >= ' ' && letter <= '~' && letter != '\\'; }

    std::string_view left_;
    bool good_ = true;
};

}  // namespace

std::optional<Trial> scan_canonical_text(std::string_view text) {
    Trial trial;
    Scanner scanner(text);
    scanner.number("{\"batch\":", trial.batch).word(",\"evaluation\":{");
    if (!scanner.next_is("\"steps\":"))
        scanner.choice("\"sample\":", trial.evaluation.sample, evaluation_samples).word(",");
    scanner.numbers("\"steps\":", trial.evaluation.steps)
        .number(",\"tokens\":", trial.evaluation.tokens)
        .number("},\"leaves\":", trial.leaves)
        .number(",\"numerics_version\":", trial.numerics);
    Optimizer& optimizer = trial.optimizer;
    scanner.number(",\"optimizer\":{\"beta1\":", optimizer.beta1)
        .number(",\"beta2\":", optimizer.beta2)
        .number(",\"epsilon\":", optimizer.epsilon)
        .number(",\"gradient_clip\":", optimizer.gradient_clip)
        .number(",\"learning_rate\":", optimizer.learning_rate)
        .number(",\"weight_decay\":", optimizer.weight_decay);
    Parametrization& parametrization = trial.parametrization;
    scanner.number("},\"parametrization\":{\"attention_multiplier\":", parametrization.attention_multiplier)
        .number(",\"base_width\":", parametrization.base_width)
        .number(",\"embedding_multiplier\":", parametrization.embedding_multiplier)
        .number(",\"initial_deviation\":", parametrization.initial_deviation)
        .choice(",\"kind\":", parametrization.kind, parametrization_kinds)
        .number(",\"output_multiplier\":", parametrization.output_multiplier)
        .choice("},\"precision\":", trial.precision, precisions);
    Schedule& schedule = trial.schedule;
    scanner.number(",\"schedule\":{\"decay_steps\":", schedule.decay_steps)
        .number(",\"final_fraction\":", schedule.final_fraction)
        .choice(",\"kind\":", schedule.kind, schedule_kinds)
        .number(",\"warmup_steps\":", schedule.warmup_steps)
        .number("},\"seed\":", trial.seed);
    Shape& shape = trial.shape;
    scanner.number(",\"shape\":{\"context\":", shape.context)
        .number(",\"depth\":", shape.depth)
        .number(",\"heads\":", shape.heads)
        .number(",\"mlp_width\":", shape.mlp_width)
        .truth(",\"tied_head\":", shape.tied_head)
        .number(",\"vocabulary\":", shape.vocabulary)
        .number(",\"width\":", shape.width)
        .number("},\"steps\":", trial.steps)
        .text(",\"token_digest\":", trial.token_digest)
        .word("}");
    if (!scanner.at_end() || trial.numerics > numerics_version) return std::nullopt;
    return trial;
}

}  // namespace isogrid::study
