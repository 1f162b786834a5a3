#include "data/text_blocks.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <unistd.h>

namespace isogrid::data {

namespace {

/// Where the text after the first blank line begins, seen from `from` on; npos where there is none yet, or
/// where more blank lines may follow.
std::size_t end_of_paragraph(std::string_view text, std::size_t from) {
    for (std::size_t end = text.find('\n', from); end != std::string_view::npos;
         end = text.find('\n', end + 1)) {
        const std::size_t next = text.find_first_not_of("\r\n", end);
        if (next == std::string_view::npos) return next;
        const std::string_view between = text.substr(end, next - end);
        if (between.find('\n', 1) != std::string_view::npos) return next;
    }
    return std::string_view::npos;
}

std::size_t forced_end(std::string_view text) {
    const std::size_t line_end = text.rfind('\n', largest_block_bytes - 1);
    if (line_end != std::string_view::npos) return line_end + 1;
    const auto continues_character = [&](std::size_t at) {
        return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
    };
    std::size_t end = largest_block_bytes;
    while (end > largest_block_bytes - 4 && continues_character(end))
        --end;
    return end;
}

/// Length of the first block of `text`, or 0 where more must be read to tell.
std::size_t first_block(std::string_view text, bool complete) {
    const std::size_t paragraph = end_of_paragraph(text, usual_block_bytes);
    if (paragraph <= largest_block_bytes) return paragraph;
    if (text.size() > largest_block_bytes) return forced_end(text);
    return complete ? text.size() : 0;
}

}  // namespace

base::Result<void> for_each_block(const files::Descriptor& text, std::string_view name,
                                  const std::function<base::Result<void>(std::string_view)>& use) {
    std::string pending;
    bool complete = false;
    while (!complete) {
        const std::size_t kept = pending.size();
        pending.resize(kept + 16 * largest_block_bytes);
        const ssize_t got = ::read(text.get(), pending.data() + kept, pending.size() - kept);
        if (got < 0 && errno != EINTR)
            return base::fail(std::string(name), "cannot be read", std::strerror(errno), "name a text file");
        pending.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        complete = got == 0;

        std::string_view rest = pending;
        while (const std::size_t length = first_block(rest, complete)) {
            if (auto used = use(rest.substr(0, length)); !used) return used;
            rest.remove_prefix(length);
        }
        pending.erase(0, pending.size() - rest.size());
    }
    return {};
}

}  // namespace isogrid::data
