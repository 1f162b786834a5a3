// Memory of the backends that live on the host: plain 64-byte aligned allocations and copies.
#include "kernels/host_backend.hpp"

#include <cstring>
#include <new>

#include <sys/mman.h>

namespace isogrid::kernels {

namespace {
constexpr std::size_t cache_line = 64, huge_page = std::size_t{2} << 20;
}

Storage HostBackend::allocate(std::size_t bytes) {
    const std::size_t whole = static_cast<std::size_t>(allocated_bytes(static_cast<std::int64_t>(bytes)));
    const std::align_val_t alignment{whole >= huge_page ? huge_page : cache_line};
    auto* memory = static_cast<std::byte*>(::operator new[](whole, alignment));
    // Where the system has huge pages for those who ask: products walk over more memory than the processor
    // keeps addresses of small pages for. Where it has none, nothing is lost.
    if (whole >= huge_page) ::madvise(memory, whole, MADV_HUGEPAGE);
    return Storage(memory, [alignment](std::byte* address) { ::operator delete[](address, alignment); });
}

std::int64_t HostBackend::allocated_bytes(std::int64_t bytes) const {
    const std::int64_t page = huge_page;
    return bytes < page ? bytes : (bytes + page - 1) / page * page;
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
