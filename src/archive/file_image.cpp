#include "archive/file_image.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <sys/mman.h>
#include <sys/stat.h>

namespace isogrid::archive {

namespace {

files::Descriptor anonymous_file() {
    files::Descriptor descriptor(::memfd_create("isogrid", MFD_CLOEXEC));
    if (!descriptor) throw std::system_error(errno, std::generic_category(), "cannot make a file in memory");
    return descriptor;
}

}  // namespace

FileImage::FileImage()
    : descriptor_(anonymous_file()),
      file_(create_file("/proc/self/fd/" + std::to_string(descriptor_.get()))) {}

FileImage::~FileImage() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::span<const std::byte> FileImage::finish(const std::filesystem::path& path) {
    errno = 0;
    if (H5Fflush(file_, H5F_SCOPE_GLOBAL) < 0)
        throw std::runtime_error(
            path.string() + ": cannot be written (" +
            std::generic_category().message(errno != 0 ? errno : ENOMEM) +
            ") make room or set the limits there and start again; what is finished is kept");
    { const Handle closed = std::move(file_); }
    struct stat now {};
    if (::fstat(descriptor_.get(), &now) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot measure a file in memory");
    const auto size = static_cast<std::size_t>(now.st_size);
    void* place = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor_.get(), 0);
    if (place == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "cannot map a file in memory");
    return bytes_ = {static_cast<const std::byte*>(place), size};
}

Handle properties_left_out() {
    Handle creation = dataset_properties();
    ensure(H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY), "set a dataset's place aside");
    ensure(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), "leave a dataset unwritten");
    return creation;
}

}  // namespace isogrid::archive
