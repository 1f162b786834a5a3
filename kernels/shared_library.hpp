// A shared library that is looked for when it is first needed, so that a program starts where it is not
// installed.
#pragma once

#include <memory>
#include <string>

namespace isogrid::kernels {

class SharedLibrary {
  public:
    /// Throws std::runtime_error where the file is not found: its own words, and `remedy` as what to do.
    SharedLibrary(const std::string& file, const std::string& remedy);

    /// The function of this name, which must have the type. Throws std::runtime_error where there is none.
    template <class Function>
    Function* function(const char* name) const {
        return reinterpret_cast<Function*>(address_of(name));
    }

  private:
    void* address_of(const char* name) const;

    std::string file_, remedy_;
    std::shared_ptr<void> handle_;
};

}  // namespace isogrid::kernels
