// Memory of the backends that live on the host: allocations and plain copies.
#pragma once

#include "kernels/backend.hpp"

namespace isogrid::kernels {

class HostBackend : public Backend {
  public:
    Storage allocate(std::size_t bytes) override;
    void copy_in(void* destination, const void* host_source, std::size_t bytes) override;
    void copy_out(void* host_destination, const void* source, std::size_t bytes) override;
    void fill_zero(void* destination, std::size_t bytes) override;
};

}  // namespace isogrid::kernels
