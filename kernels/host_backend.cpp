// Memory of the backends that live on the host: plain 64-byte aligned allocations and copies.
#include "kernels/host_backend.hpp"

#include <cstring>
#include <new>

#include <sys/mman.h>

namespace isogrid::kernels {

namespace {
constexpr std::size_t cache_line = 64, small_page = 4096, huge_page = std::size_t{2} << 20;
}

Storage HostBackend::allocate(std::size_t bytes) {
    const std::align_val_t alignment{bytes >= huge_page ? huge_page : cache_line};
    auto* memory = static_cast<std::byte*>(::operator new[](bytes, alignment));
    // Products walk over more memory than the processor remembers the addresses of small pages for. Where the
    // system has no huge pages for those who ask, nothing is lost.
    if (bytes >= huge_page) ::madvise(memory, bytes / small_page * small_page, MADV_HUGEPAGE);
    return Storage(memory, [alignment](std::byte* address) { ::operator delete[](address, alignment); });
}

void HostBackend::copy_in(void* destination, const void* host_source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(destination, host_source, bytes);
}

void HostBackend::copy_out(void* host_destination, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(host_destination, source, bytes);
}

void HostBackend::fill_zero(void* destination, std::size_t bytes) {
    if (bytes > 0) std::memset(destination, 0, bytes);
}

}  // namespace isogrid::kernels
