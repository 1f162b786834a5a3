#include "data/json_lines.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace isogrid::data {

namespace {

using base::fail;
using base::Result;

/// Hands each line, without its end, to `use`, with its number from 1 on.
Result<void> for_each_line(const files::Descriptor& file, const std::string& name,
                           const std::function<Result<void>(std::string_view, std::int64_t)>& use) {
    std::string pending;
    std::int64_t number = 0;
    for (bool complete = false; !complete;) {
        const std::size_t kept = pending.size();
        if (kept > longest_json_line)
            return fail(
                name + ":" + std::to_string(number + 1), "is too long a line",
                "a document of JSON Lines has " + std::to_string(longest_json_line >> 20) + " MiB at most",
                "name a file with an object a line");
        pending.resize(kept + (std::size_t{1} << 20));
        const ssize_t got = ::read(file.get(), pending.data() + kept, pending.size() - kept);
        const int error = errno;
        pending.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got < 0 && error != EINTR)
            return fail(name, "cannot be read", std::strerror(error), "name a text file");
        complete = got == 0;

        std::string_view rest = pending;
        for (std::size_t end = rest.find('\n', kept); end != std::string_view::npos; end = rest.find('\n')) {
            if (auto used = use(rest.substr(0, end), ++number); !used) return used;
            rest.remove_prefix(end + 1);
        }
        if (complete && !rest.empty()) return use(rest, ++number);
        pending.erase(0, pending.size() - rest.size());
    }
    return {};
}

}  // namespace

Result<void> for_each_document(const files::Descriptor& file, const std::string& name,
                               const std::string& field,
                               const std::function<Result<void>(std::string_view)>& use) {
    return for_each_line(file, name, [&](std::string_view line, std::int64_t number) -> Result<void> {
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
        const std::string where = name + ":" + std::to_string(number);
        const auto object = nlohmann::json::parse(line, nullptr, false);
        if (!object.is_object())
            return fail(where, "is no JSON object", "JSON Lines have one on each line",
                        "leave --json-field out for plain text");
        const auto found = object.find(field);
        if (found == object.end() || !found->is_string())
            return fail(where, "holds no text", "its object has no string \"" + field + "\"",
                        "name the field of the text with --json-field");
        std::string document = found->get<std::string>();
        if (document.empty()) return {};
        document += document.ends_with('\n') ? "\n" : "\n\n";
        return use(document);
    });
}

}  // namespace isogrid::data
