// From the written name of an enumeration's value back to the value.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace isogrid::base {

/// The value among `values` whose name() is `text`, if there is one.
template <class Value, std::size_t count>
std::optional<Value> value_named(std::string_view text, const std::array<Value, count>& values) {
    for (const Value value : values) {
        if (name(value) == text) return value;
    }
    return std::nullopt;
}

}  // namespace isogrid::base
