#include "data/token_arrays.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

namespace isogrid::data {

namespace {

using base::fail;
using base::Result;

/// A file, as far as it has been read and not been used yet.
class Bytes {
  public:
    Bytes(const files::Descriptor& file, std::string_view name) : file_(file), name_(name) {}

    /// Reads on until `wanted` bytes are there, or the file ends.
    Result<void> read_to(std::size_t wanted) {
        while (unused().size() < wanted && !complete_) {
            bytes_.erase(0, used_);
            used_ = 0;
            const std::size_t kept = bytes_.size();
            bytes_.resize(std::max(wanted, kept + std::size_t{1 << 20}));
            const ssize_t got = ::read(file_.get(), bytes_.data() + kept, bytes_.size() - kept);
            const int error = errno;
            bytes_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            if (got < 0 && error != EINTR)
                return fail(std::string(name_), "cannot be read", std::strerror(error),
                            "name a file of tokens");
            complete_ = got == 0;
        }
        return {};
    }
    std::string_view unused() const { return std::string_view(bytes_).substr(used_); }
    void use(std::size_t count) { used_ += count; }

  private:
    const files::Descriptor& file_;
    std::string_view name_;
    std::string bytes_;
    std::size_t used_ = 0;
    bool complete_ = false;
};

/// How tokens are stored behind the header of their file.
struct Layout {
    std::size_t header_bytes = 0;
    std::size_t bytes_each = 2;
    bool is_signed = false;
    std::optional<std::int64_t> count;  ///< as the header says
};

template <class Number>
Number number_at(std::string_view bytes, std::size_t offset) {
    Number number;
    std::memcpy(&number, bytes.data() + offset, sizeof number);
    return number;
}

/// What stands behind `'key':` in the dictionary of an array's header; empty where it is not there.
std::string_view entry(std::string_view dictionary, std::string_view key) {
    const std::size_t at = dictionary.find("'" + std::string(key) + "':");
    if (at == std::string_view::npos) return {};
    dictionary.remove_prefix(at + key.size() + 3);
    dictionary.remove_prefix(std::min(dictionary.find_first_not_of(' '), dictionary.size()));
    return dictionary;
}

/// The sizes in `(3, 4), ...`; nothing where they are none, or their product is no count of tokens.
std::optional<std::vector<std::int64_t>> sizes_of(std::string_view shape) {
    const std::size_t end = shape.find(')');
    if (!shape.starts_with('(') || end == std::string_view::npos) return std::nullopt;
    std::vector<std::int64_t> sizes;
    std::int64_t product = 1;
    for (const char* at = shape.data() + 1; at != shape.data() + end;) {
        std::int64_t size = 0;
        const auto [next, error] = std::from_chars(at, shape.data() + end, size);
        if (error != std::errc() || size < 0 || __builtin_mul_overflow(product, size, &product))
            return std::nullopt;
        sizes.push_back(size);
        at = std::find_if(next, shape.data() + end, [](char c) { return c != ',' && c != ' '; });
    }
    return sizes;
}

/// NumPy's format, versions 1 to 3: magic, version, the dictionary's length in 16 or 32 bits, the dictionary.
Result<Layout> array_layout(Bytes& bytes, const std::string& name) {
    const auto damaged = [&](const std::string& why) {
        return fail(name, "is no array of NumPy that can be read", why, "save it again with numpy.save");
    };
    const int version = bytes.unused().size() > 6 ? bytes.unused()[6] : 0;
    const std::size_t prefix = version == 1 ? 10 : 12;
    if (version < 1 || version > 3 || bytes.unused().size() < prefix)
        return damaged("its header has another version than 1 to 3");
    const std::size_t length = version == 1 ? number_at<std::uint16_t>(bytes.unused(), 8)
                                            : number_at<std::uint32_t>(bytes.unused(), 8);
    constexpr std::size_t longest_dictionary = 1 << 16;
    if (length > longest_dictionary) return damaged("its header is longer than any of an array of numbers");
    if (auto read = bytes.read_to(prefix + length); !read) return tl::unexpected(read.error());
    if (bytes.unused().size() < prefix + length) return damaged("it ends within its header");

    const std::string_view dictionary = bytes.unused().substr(prefix, length);
    const std::string_view kind = entry(dictionary, "descr").substr(0, 5);
    const auto sizes = sizes_of(entry(dictionary, "shape"));
    const bool is_integer = kind.size() == 5 && kind[0] == '\'' && kind[4] == '\'' &&
                            (kind[2] == 'u' || kind[2] == 'i') &&
                            std::string_view("1248").find(kind[3]) != std::string_view::npos;
    if (!is_integer || (kind[1] != '<' && kind[3] != '1'))
        return damaged("its numbers are no little-endian integers; make them so with .astype('<u2')");
    if (!sizes) return damaged("its header states no shape");
    if (!entry(dictionary, "fortran_order").starts_with("False") && sizes->size() > 1)
        return damaged("it is stored column by column; save it with numpy.ascontiguousarray");
    std::int64_t count = 1;
    for (const std::int64_t size : *sizes)
        count *= size;
    return Layout{prefix + length, static_cast<std::size_t>(kind[3] - '0'), kind[2] == 'i', count};
}

/// Of llm.c (dev/data/data_common.py), and of trainers that read its files.
constexpr std::size_t llmc_header_bytes = 1024;
constexpr std::int32_t llmc_magic_16_bits = 20240520, llmc_magic_32_bits = 20240801;

/// Two of five bytes are letters, or spaces between them: of tokens, 64 in a row hardly ever are.
bool is_text(std::string_view bytes) {
    constexpr std::size_t enough = 64;
    const auto is_letter = [](char byte) {
        return (byte >= ' ' && byte <= '~') || (byte >= '\t' && byte <= '\r');
    };
    return bytes.size() >= enough && std::ranges::all_of(bytes, is_letter);
}

Result<Layout> layout_of(Bytes& bytes, const std::string& name) {
    if (auto read = bytes.read_to(llmc_header_bytes); !read) return tl::unexpected(read.error());
    const std::string_view start = bytes.unused().substr(0, llmc_header_bytes);
    if (start.starts_with("\x93NUMPY")) return array_layout(bytes, name);
    if (is_text(start))
        return fail(name, "holds text, not tokens", "its first bytes are all letters",
                    "choose another --tokenizer than tokens:VOCABULARY");
    const auto magic = start.size() < 4 ? 0 : number_at<std::int32_t>(start, 0);
    if (magic != llmc_magic_16_bits && magic != llmc_magic_32_bits) return Layout{};
    if (start.size() < llmc_header_bytes)
        return fail(name, "is damaged", "it ends within the header of llm.c that it begins with",
                    "copy it again");
    return Layout{.header_bytes = llmc_header_bytes,
                  .bytes_each = std::size_t{magic == llmc_magic_16_bits ? 2U : 4U},
                  .is_signed = false,
                  .count = number_at<std::int32_t>(start, 8)};
}

/// One number of `size` bytes, low byte first.
std::int64_t value_of(const char* bytes, std::size_t size, bool is_signed) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes, size);
    const std::size_t unused_bits = 64 - 8 * size;
    if (is_signed) return static_cast<std::int64_t>(value << unused_bits) >> unused_bits;
    return static_cast<std::int64_t>(value);
}

}  // namespace

Result<void> for_each_token_block(const files::Descriptor& file, std::string_view name,
                                  std::int64_t vocabulary,
                                  const std::function<Result<void>(std::span<const Token>)>& use) {
    const std::string where(name);
    Bytes bytes(file, name);
    const Result<Layout> layout = layout_of(bytes, where);
    if (!layout) return tl::unexpected(layout.error());
    bytes.use(layout->header_bytes);

    const std::size_t size = layout->bytes_each;
    std::int64_t done = 0;
    std::vector<Token> tokens;
    for (;;) {
        if (auto read = bytes.read_to(block_tokens * size); !read) return read;
        const std::size_t there = std::min(bytes.unused().size() / size, block_tokens);
        if (there == 0) break;
        tokens.clear();
        for (std::size_t at = 0; at < there; ++at) {
            const std::int64_t token = value_of(bytes.unused().data() + at * size, size, layout->is_signed);
            if (token < 0 || token >= vocabulary)
                return fail(where, "holds a token outside of the vocabulary",
                            std::to_string(token) + " at place " +
                                std::to_string(done + static_cast<std::int64_t>(at)) +
                                ", counted from 0; the vocabulary has " + std::to_string(vocabulary),
                            "name the right file, or the right --tokenizer tokens:VOCABULARY");
            tokens.push_back(static_cast<Token>(token));
        }
        if (auto used = use(tokens); !used) return used;
        bytes.use(there * size);
        done += static_cast<std::int64_t>(there);
    }
    if (layout->count.value_or(done) != done)
        return fail(where, "is damaged",
                    "its header promises " + std::to_string(*layout->count) + " tokens, behind it are " +
                        std::to_string(done),
                    "copy it again");
    if (!bytes.unused().empty())
        return fail(where, "is damaged", "it ends within a number of " + std::to_string(8 * size) + " bits",
                    "copy it again");
    return {};
}

}  // namespace isogrid::data
