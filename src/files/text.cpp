#include "files/text.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>

#include "files/descriptor.hpp"

namespace isogrid::files {

std::optional<std::string> text_of(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO blocks nobody
    if (!file) return std::nullopt;
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
        const ssize_t size = ::read(file.get(), part.data(), part.size());
        if (size == 0) return text;
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return std::nullopt;
        text.append(part.data(), static_cast<std::size_t>(size));
    }
}

}  // namespace isogrid::files
