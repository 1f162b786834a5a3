// JSON that is printed or written.
#pragma once

#include <string>

namespace isogrid::base {

/// A JSON value of nlohmann's library as text, with `indent` blanks a level and an end of line. Bytes that
/// are no UTF-8, as names of files and runs may have, become U+FFFD: the library would throw.
template <class Json>
std::string json_text(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace isogrid::base
