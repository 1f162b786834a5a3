// Memory of the backends that live on the host: plain 64-byte aligned allocations and copies.
#include "kernels/host_backend.hpp"

#include <cstring>
#include <new>

namespace isogrid::kernels {

namespace {
constexpr std::align_val_t alignment{64};
}

Storage HostBackend::allocate(std::size_t bytes) {
    auto* memory = static_cast<std::byte*>(::operator new[](bytes, alignment));
    return Storage(memory, [](std::byte* address) { ::operator delete[](address, alignment); });
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
