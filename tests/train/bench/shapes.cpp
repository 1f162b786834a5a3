#include "train/bench/shapes.hpp"

#include <array>
#include <charconv>
#include <optional>

namespace isogrid::bench {
namespace {

constexpr std::string_view form = "a shape is d,layers,heads,context,batch,vocabulary";

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::optional<std::int64_t> parse_count(std::string_view text) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size() || count < 1) return std::nullopt;
    return count;
}

base::Result<BenchShape> parse_shape(std::string_view text) {
    const std::string where = "--shapes: '" + std::string(text) + "'";
    const std::vector<std::string_view> parts = split(text, ',');
    std::array<std::int64_t, 6> counts{};
    if (parts.size() != counts.size())
        return base::fail(where, "has " + std::to_string(parts.size()) + " numbers instead of 6",
                          std::string(form), "write for example 64,2,2,128,16,256");
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const std::optional<std::int64_t> count = parse_count(parts[i]);
        if (!count)
            return base::fail(where, "'" + std::string(parts[i]) + "' is not a whole number of 1 or more",
                              std::string(form), "correct it");
        counts[i] = *count;
    }
    const auto [width, layers, heads, context, batch, vocabulary] = counts;
    if (width % (2 * heads) != 0)
        return base::fail(where, "cannot have " + std::to_string(heads) + " heads",
                          "rotary positions need an even number of columns a head",
                          "choose d as a multiple of " + std::to_string(2 * heads));
    const std::int64_t hidden = (8 * width + 47) / 48 * 16;
    return BenchShape{{.width = width,
                       .depth = layers,
                       .heads = heads,
                       .mlp_width = hidden,
                       .vocabulary = vocabulary,
                       .context = context,
                       .tied_head = false},
                      batch};
}

}  // namespace

double BenchShape::product_parameters() const {
    const auto width = static_cast<double>(shape.width), hidden = static_cast<double>(shape.mlp_width);
    return static_cast<double>(shape.depth) * (4 * width * width + 3 * width * hidden) +
           width * static_cast<double>(shape.vocabulary);
}

std::string BenchShape::label() const {
    std::string text;
    for (const std::int64_t count :
         {shape.width, shape.depth, shape.heads, shape.context, batch, shape.vocabulary})
        text += (text.empty() ? "" : ",") + std::to_string(count);
    return text;
}

base::Result<std::vector<BenchShape>> parse_shapes(std::string_view text) {
    std::vector<BenchShape> shapes;
    base::Faults faults;
    for (const std::string_view part : split(text, ';')) {
        base::Result<BenchShape> shape = parse_shape(part);
        if (shape)
            shapes.push_back(*shape);
        else
            faults.insert(faults.end(), shape.error().begin(), shape.error().end());
    }
    if (!faults.empty()) return tl::make_unexpected(std::move(faults));
    return shapes;
}

}  // namespace isogrid::bench
