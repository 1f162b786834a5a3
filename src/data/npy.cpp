#include "data/npy.hpp"

#include <cassert>
#include <functional>
#include <numeric>
#include <string>

#include "files/new_file.hpp"

namespace isogrid::data {

namespace {

/// Magic, version, length of the dictionary, dictionary padded so that the values begin at a multiple of 64.
std::string npy_header(const std::string& kind, std::span<const std::int64_t> shape) {
    std::string sizes;
    for (const std::int64_t size : shape)
        sizes += std::to_string(size) + ", ";
    std::string dictionary = "{'descr': '" + kind + "', 'fortran_order': False, 'shape': (" + sizes + "), }";
    constexpr std::size_t prefix = 10;
    dictionary.resize((prefix + dictionary.size() + 1 + 63) / 64 * 64 - prefix - 1, ' ');
    dictionary += '\n';
    std::string header = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0};
    header += static_cast<char>(dictionary.size() & 255);
    header += static_cast<char>(dictionary.size() >> 8);
    return header + dictionary;
}

base::Result<void> write(const std::filesystem::path& path, const std::string& kind,
                         std::span<const std::byte> values, std::span<const std::int64_t> shape) {
    auto file = files::NewFile::create(path);
    if (!file) return tl::unexpected(std::move(file.error()));
    file->write(npy_header(kind, shape));
    file->write(values);
    file->commit();
    return {};
}

[[maybe_unused]] std::size_t product(std::span<const std::int64_t> shape) {
    return static_cast<std::size_t>(
        std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
}

}  // namespace

base::Result<void> write_npy(const std::filesystem::path& path, std::span<const Token> values,
                             std::span<const std::int64_t> shape) {
    assert(values.size() == product(shape));
    return write(path, "<u2", std::as_bytes(values), shape);
}

base::Result<void> write_npy(const std::filesystem::path& path, std::span<const std::int64_t> values,
                             std::span<const std::int64_t> shape) {
    assert(values.size() == product(shape));
    return write(path, "<i8", std::as_bytes(values), shape);
}

}  // namespace isogrid::data
