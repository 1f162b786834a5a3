#include "study/text_file.hpp"

#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace isogrid::study {

Result<std::string> read_text(const std::filesystem::path& path, std::string_view kind) {
    const std::string give = "give " + std::string(kind);
    std::error_code error;
    if (std::filesystem::is_directory(path, error))
        return fail(path.string(), "cannot be read", "it is a folder", give);
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::string text;
    std::array<char, 1 << 16> block{};
    while (file.read(block.data(), block.size()), file.gcount() > 0)
        text.append(block.data(), static_cast<std::size_t>(file.gcount()));
    if (!file.is_open() || file.bad())
        return fail(path.string(), "cannot be read", std::generic_category().message(errno),
                    "check the path");
    return text;
}

}  // namespace isogrid::study
