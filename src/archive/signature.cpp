#include "archive/signature.hpp"

#include <cerrno>
#include <fstream>
#include <string>
#include <string_view>

namespace isogrid::archive {

std::optional<bool> begins_as_hdf5(const std::filesystem::path& path) {
    constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
    std::string start(signature.size(), '\0');
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    if (!file.is_open() || file.bad()) return std::nullopt;
    return start == signature;
}

}  // namespace isogrid::archive
