#include "files/text.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <system_error>

#include "files/descriptor.hpp"
#include "files/durable.hpp"

namespace isogrid::files {

namespace {

/// By the system's calls, as std::ifstream throws past its own flags where a read fails.
tl::expected<std::string, std::error_code> all_of(const std::filesystem::path& path, int flags) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
    if (!file) return tl::unexpected(last_error());
    std::string text;
    std::array<char, 1 << 16> part;  // filled by what is read
    for (;;) {
        const ssize_t size = ::read(file.get(), part.data(), part.size());
        if (size == 0) return text;
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return tl::unexpected(last_error());
        text.append(part.data(), static_cast<std::size_t>(size));
    }
}

}  // namespace

base::Result<std::string> read_text(const std::filesystem::path& path, std::string_view kind) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error))
        return base::fail(path.string(), "cannot be read", "it is a folder", "give " + std::string(kind));
    auto text = all_of(path, 0);
    if (!text) return base::fail(path.string(), "cannot be read", text.error().message(), "check the path");
    return *std::move(text);
}

std::optional<std::string> text_of(const std::filesystem::path& path) {
    auto text = all_of(path, O_NONBLOCK);  // a FIFO blocks nobody
    return text ? std::optional(*std::move(text)) : std::nullopt;
}

}  // namespace isogrid::files
