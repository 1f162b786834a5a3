#include "fuzz/hdf5_checksums.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "base/digest.hpp"

namespace isogrid::fuzz {

namespace {

/// The little-endian number of `width` bytes at `at`; nothing past the end.
std::optional<std::uint64_t> number(std::string_view bytes, std::size_t at, std::size_t width) {
    if (at > bytes.size() || width > bytes.size() - at) return std::nullopt;
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, width);
    return value;
}

/// Puts the checksum of bytes [from, to) behind them.
void seal(std::string& bytes, std::size_t from, std::size_t to) {
    const std::uint32_t sum = lookup3(std::string_view(bytes).substr(from, to - from));
    std::memcpy(bytes.data() + to, &sum, sizeof sum);
}

/// The messages of an object header's first piece, and where they lie.
struct Header {
    std::size_t start = 0, messages = 0, end = 0;
    std::size_t message_prefix = 4;  ///< bytes before a message's data
};

std::optional<Header> header_at(std::string_view bytes, std::size_t start) {
    const auto version = number(bytes, start + 4, 1), flags = number(bytes, start + 5, 1);
    if (!version || *version != 2 || !flags) return std::nullopt;
    Header header{.start = start, .messages = start + 6};
    if (*flags & 0x20) header.messages += 16;  // four times
    if (*flags & 0x10) header.messages += 4;   // when attributes move elsewhere
    if (*flags & 0x04) header.message_prefix += 2;
    const std::size_t width = std::size_t{1} << (*flags & 3);
    const auto size = number(bytes, header.messages, width);
    header.messages += width;
    if (!size || header.messages + 4 > bytes.size() || *size > bytes.size() - header.messages - 4)
        return std::nullopt;
    header.end = header.messages + *size;
    return header;
}

/// The dataset's bytes have changed: so must its `sha256`.
void repair_seal(std::string& bytes, const Header& header) {
    constexpr std::uint64_t type_message = 0x03, layout_message = 0x08, attribute_message = 0x0C;
    constexpr int text_class = 3;
    constexpr std::size_t digits = 64;
    std::optional<std::uint64_t> address, size;
    std::size_t digest_end = 0;
    bool is_text = false;
    for (std::size_t at = header.messages; at + header.message_prefix <= header.end;) {
        const auto type = number(bytes, at, 1), length = number(bytes, at + 1, 2);
        const std::size_t data = at + header.message_prefix;
        if (!type || !length || *length > header.end - data) return;
        const std::string_view message = std::string_view(bytes).substr(data, *length);
        if (*type == type_message && !message.empty()) is_text = (message[0] & 0x0f) == text_class;
        if (*type == layout_message) {
            address = number(message, 2, 8);
            size = number(message, 10, 8);
        }
        if (*type == attribute_message && message.find("sha256") != std::string_view::npos)
            digest_end = data + *length;
        at = data + *length;
    }
    if (!address || !size || digest_end == 0 || *address > bytes.size() || *size > bytes.size() - *address)
        return;
    std::string_view data = std::string_view(bytes).substr(*address, *size);
    if (is_text) data = data.substr(0, data.find('\0'));
    const std::string digest = base::sha256(data);
    // The text ends with a zero: its digits are the 64 before that.
    if (digest_end > digits) std::copy_n(digest.data(), digits, bytes.data() + digest_end - digits - 1);
}

}  // namespace

std::uint32_t lookup3(std::string_view bytes) {
    std::uint32_t a = 0xdeadbeef + static_cast<std::uint32_t>(bytes.size()), b = a, c = a;
    const auto turned = [](std::uint32_t value, int bits) { return std::rotl(value, bits); };
    const auto word = [&](std::size_t at) {
        std::uint32_t value = 0;
        if (at < bytes.size())
            std::memcpy(&value, bytes.data() + at, std::min<std::size_t>(4, bytes.size() - at));
        return value;
    };
    std::size_t at = 0;
    for (; bytes.size() - at > 12; at += 12) {
        a += word(at), b += word(at + 4), c += word(at + 8);
        a -= c, a ^= turned(c, 4), c += b;
        b -= a, b ^= turned(a, 6), a += c;
        c -= b, c ^= turned(b, 8), b += a;
        a -= c, a ^= turned(c, 16), c += b;
        b -= a, b ^= turned(a, 19), a += c;
        c -= b, c ^= turned(b, 4), b += a;
    }
    if (at == bytes.size()) return c;
    a += word(at), b += word(at + 4), c += word(at + 8);
    c ^= b, c -= turned(b, 14);
    a ^= c, a -= turned(c, 11);
    b ^= a, b -= turned(a, 25);
    c ^= b, c -= turned(b, 16);
    a ^= c, a -= turned(c, 4);
    b ^= a, b -= turned(a, 14);
    c ^= b, c -= turned(b, 24);
    return c;
}

void repair_checksums(std::string& bytes) {
    constexpr std::string_view superblock = "\x89HDF\r\n\x1a\n";
    constexpr std::size_t superblock_size = 44;
    for (std::size_t at = bytes.find("OHDR"); at != std::string::npos; at = bytes.find("OHDR", at + 4)) {
        const auto header = header_at(bytes, at);
        if (!header) continue;
        repair_seal(bytes, *header);
        seal(bytes, header->start, header->end);
    }
    if (bytes.starts_with(superblock) && bytes.size() >= superblock_size + 4) seal(bytes, 0, superblock_size);
}

}  // namespace isogrid::fuzz
