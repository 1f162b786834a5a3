#include "analysis/runs/csv_advice.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>

#include "analysis/runs/csv_columns.hpp"

namespace isogrid::analysis {
namespace {

/// The text's commas stand between thousands: 1,000 and 70,000,000.5.
bool has_thousands(std::string_view text) {
    const std::string_view whole = text.substr(0, text.find('.'));
    const std::size_t first = whole.find(',');
    if (first == std::string_view::npos || first < 1 || first > 3 || whole.front() == '0') return false;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        const bool comma = at >= first && (at - first) % 4 == 0;
        if (comma ? whole[at] != ',' : whole[at] < '0' || whole[at] > '9') return false;
    }
    return (whole.size() - first) % 4 == 0;
}

/// 1e999 and 1e-999 are numbers, though none that can be counted with.
std::optional<Advice> advice_on_range(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc::result_out_of_range || end != text.data() + text.size()) return std::nullopt;
    return std::abs(std::strtod(text.c_str(), nullptr)) > 1
               ? Advice{"a number beyond 1.8e308 is too large to count with", "correct it"}
               : Advice{"a number this near to zero is too small to count with", "correct it"};
}

/// 9.56M and 1.7 B are for people.
std::optional<Advice> advice_on_letter(const std::string& text) {
    struct Letter {
        char letter;
        const char *meaning, *power;
    };
    constexpr std::array letters = {Letter{'k', "thousands", "e3"}, Letter{'K', "thousands", "e3"},
                                    Letter{'M', "millions", "e6"},  Letter{'B', "billions", "e9"},
                                    Letter{'G', "billions", "e9"},  Letter{'T', "trillions", "e12"}};
    for (const auto& [letter, meaning, power] : letters) {
        if (!text.ends_with(letter)) continue;
        const std::string digits = trimmed(std::string_view(text).substr(0, text.size() - 1));
        if (digits.empty() || digits.find_first_not_of("0123456789.") != std::string::npos)
            return std::nullopt;
        if (!number(digits)) return std::nullopt;
        return Advice{std::string("a number with a letter for ") + meaning, "write " + digits + power};
    }
    return std::nullopt;
}

}  // namespace

/// `1,5` for 1.5 is how half of the world writes it; `1,000` may be a thousand too. No CSV can mean either.
Advice advice_on(std::string text) {
    const auto out_of_range = advice_on_range(trimmed(text)), letter = advice_on_letter(trimmed(text));
    const std::size_t comma = text.find(',');
    const bool thousands = has_thousands(trimmed(text));
    if (comma != std::string::npos) text[comma] = '.';
    const bool decimals = comma != std::string::npos && number(text).has_value();
    if (thousands && decimals)
        return {"a comma that may separate thousands or decimals", "leave it out, or write it as a point"};
    if (thousands) return {"a number with commas between thousands", "leave them out"};
    if (decimals) return {"a number with a decimal comma", "write it with a point"};
    if (out_of_range) return *out_of_range;
    if (letter) return *letter;
    return {"a number is needed", "correct it"};
}

}  // namespace isogrid::analysis
