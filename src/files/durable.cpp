#include "files/durable.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace isogrid::files {

std::error_code last_error() {
    return {errno, std::generic_category()};
}

std::filesystem::path behind_links(std::filesystem::path path) {
    constexpr int most = 40;  // as the system allows
    std::error_code ignored;
    for (int hop = 0; hop < most && std::filesystem::is_symlink(path, ignored); ++hop)
        path = path.parent_path() / std::filesystem::read_symlink(path, ignored);
    return path;
}

std::error_code write_all(const Descriptor& file, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return last_error();
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

std::error_code sync_and_close(Descriptor& file) {
    const bool synced = ::fsync(file.get()) == 0;
    const std::error_code error = synced ? std::error_code() : last_error();
    const bool closed = file.close() == 0;
    return synced && !closed ? last_error() : error;
}

std::error_code sync_folder_of(const std::filesystem::path& path) {
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened) return last_error();
    return ::fsync(opened.get()) == 0 || errno == EINVAL ? std::error_code() : last_error();
}

void make_folders(const std::filesystem::path& folder) {
    if (folder.empty() || std::filesystem::is_directory(folder)) return;
    make_folders(folder.parent_path());
    std::filesystem::create_directory(folder);
    if (const auto error = sync_folder_of(folder))
        throw std::filesystem::filesystem_error("cannot be synced", folder, error);
}

}  // namespace isogrid::files
