// English-looking paragraphs, each unlike all others, for tests that need text.
#pragma once

#include <array>
#include <string>

#include "data/random.hpp"

namespace isogrid::data {

/// `Paragraph N.` and about 200 bytes of words, drawn with falling frequency; ends with a blank line.
inline std::string sample_paragraph(int number) {
    constexpr std::array words = {"the",  "of",    "a",     "grid",  "law",   "loss",   "token", "budget",
                                  "size", "curve", "model", "train", "small", "larger", "point", "measure"};
    std::string text = "Paragraph " + std::to_string(number) + ".";
    for (std::uint64_t word = 0; word < 36; ++word) {
        const auto random = random_words(1, RandomUse::weights, static_cast<std::uint32_t>(number), word);
        text +=
            std::string(" ") + words[static_cast<std::size_t>(16 * uniform(random[0]) * uniform(random[1]))];
    }
    return text + ".\n\n";
}

inline std::string sample_text(int paragraphs) {
    std::string text;
    for (int number = 0; number < paragraphs; ++number)
        text += sample_paragraph(number);
    return text;
}

}  // namespace isogrid::data
