#include "files/replace.hpp"

#include <fstream>
#include <system_error>

namespace isogrid::files {

void replace(const std::filesystem::path& file, const std::filesystem::path& temporary,
             std::string_view text) {
    std::ofstream stream(temporary);
    stream << text;
    stream.close();
    std::error_code ignored;
    if (stream)
        std::filesystem::rename(temporary, file, ignored);
    else
        std::filesystem::remove(temporary, ignored);
}

}  // namespace isogrid::files
