// Numbers and words for messages.
#include "base/wording.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <vector>

namespace isogrid::base {

namespace {

std::string printed(double value, auto... precision) {
    std::array<char, 64> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, precision...).ptr;
    return {buffer.data(), end};
}

std::size_t edit_distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() +
                                 1);  // distances from the letters read so far to each start of `to`
    for (std::size_t j = 0; j <= to.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= from.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const std::size_t replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[to.size()];
}

}  // namespace

std::string as_written(double value) {
    return printed(value);
}

std::string rounded(double value, int digits) {
    const std::string general = printed(value, std::chars_format::general, digits);
    double whole = 0;
    std::from_chars(general.data(), general.data() + general.size(), whole);
    constexpr double too_long = 1e6;  // to be read as digits
    return std::abs(whole) >= 1 && std::abs(whole) < too_long && general.find('e') != std::string::npos
               ? printed(whole, std::chars_format::fixed, 0)
               : general;
}

std::string listed(std::span<const std::string> words) {
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
    std::optional<std::string> best;
    std::size_t fewest = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string& candidate : candidates) {
        const std::size_t changes = edit_distance(word, candidate);
        if (changes < fewest && changes < word.size()) {
            fewest = changes;
            best = candidate;
        }
    }
    return best;
}

}  // namespace isogrid::base
