#include "analysis/output_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

#include "files/new_file.hpp"

namespace isogrid::analysis {
namespace {

/// A device, a pipe, or what leads to an open file: /dev/stdout may be one that must not be replaced.
bool is_no_file(const std::filesystem::path& path) {
    std::error_code absent;
    const std::string text = path.string();
    return text.starts_with("/dev/") || text.starts_with("/proc/") ||
           std::filesystem::is_other(std::filesystem::status(path, absent));
}

}  // namespace

base::Faults check_place(const std::string& option, const std::filesystem::path& file) {
    std::error_code absent;
    if (std::filesystem::is_directory(file, absent))
        return {{option, file.string() + " is a folder", "a file is written", "name a file in it"}};
    if (is_no_file(file)) return {};
    std::filesystem::path above = std::filesystem::absolute(file).parent_path();
    while (!std::filesystem::exists(above, absent) && above.has_relative_path())
        above = above.parent_path();
    if (!std::filesystem::is_directory(above, absent))
        return {{option, file.string() + " cannot be written", above.string() + " is no folder",
                 "name another place"}};
    if (::access(above.c_str(), W_OK | X_OK) != 0)
        return {{option, file.string() + " cannot be written", above.string() + ": " + std::strerror(errno),
                 "name another place"}};
    return {};
}

void write(const std::filesystem::path& file, const std::string& text) {
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    if (is_no_file(file)) {
        std::ofstream stream(file, std::ios::binary);
        stream << text << std::flush;
        if (!stream)
            throw std::runtime_error(file.string() + ": cannot be written (check the folder and free space)");
        return;
    }
    auto whole = files::NewFile::create(file);
    if (!whole) throw std::runtime_error(base::to_string(whole.error().front()));
    whole->write(text);
    whole->commit();
}

}  // namespace isogrid::analysis
