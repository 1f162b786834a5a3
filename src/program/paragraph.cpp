#include "program/paragraph.hpp"

#include <algorithm>

namespace isogrid::program {

std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](unsigned char byte) { return byte < 0x80 || byte >= 0xC0; }));
}

std::string plain(std::string_view text) {
    std::string safe(text);
    for (char& letter : safe)
        if (static_cast<unsigned char>(letter) < ' ' || letter == '\x7f') letter = ' ';
    return safe;
}

std::string wrapped(std::string_view head, std::string_view words, std::size_t indent, int width) {
    const std::string safe = plain(words);
    const auto most = static_cast<std::size_t>(std::max(0, width));
    std::string text, line(head);
    bool empty = true;
    for (std::size_t begin = 0; begin < safe.size();) {
        const std::size_t end = std::min(safe.find(' ', begin), safe.size());
        const std::string word = safe.substr(begin, end - begin);
        begin = end + 1;
        if (!empty && columns_of(line) + 1 + columns_of(word) > most) {
            text += line + "\n";
            line.assign(indent, ' ');
            empty = true;
        }
        line += (empty ? "" : " ") + word;
        empty = false;
    }
    return text + line + "\n";
}

}  // namespace isogrid::program
