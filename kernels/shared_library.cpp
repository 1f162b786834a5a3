#include "kernels/shared_library.hpp"

#include <dlfcn.h>
#include <stdexcept>

namespace isogrid::kernels {

namespace {

std::string last_words() {
    const char* words = dlerror();
    return words != nullptr ? words : "no reason given";
}

}  // namespace

SharedLibrary::SharedLibrary(const std::string& file, const std::string& remedy)
    : file_(file), remedy_(remedy) {
    // NCCL's threads may be at work when the program ends: what they run is not unloaded before them.
    void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == nullptr)
        throw std::runtime_error("cannot load " + file + " (" + last_words() + ") " + remedy);
    handle_ = std::shared_ptr<void>(handle, dlclose);
}

void* SharedLibrary::address_of(const char* name) const {
    void* address = dlsym(handle_.get(), name);
    if (address == nullptr)
        throw std::runtime_error(file_ + " has no " + name + " (" + last_words() + ") " + remedy_);
    return address;
}

}  // namespace isogrid::kernels
