// The fast backends of a program: the processor's instruction sets, and the first CUDA card.
#include <algorithm>
#include <exception>

#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/instruction_set_names.hpp"
#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

const std::string cuda = "cuda";

cpu::InstructionSet instruction_set_of(const std::string& name) {
    return *std::find_if(cpu::instruction_sets.begin(), cpu::instruction_sets.end(),
                         [&](cpu::InstructionSet known) { return cpu::name(known) == name; });
}

}  // namespace

std::vector<std::string> instruction_set_names() {
    std::vector<std::string> names;
    for (const cpu::InstructionSet known : cpu::instruction_sets)
        names.emplace_back(cpu::name(known));
    return names;
}

std::vector<std::string> names_that_run_here() {
    std::vector<std::string> names = instruction_set_names();
    std::erase_if(names, [](const std::string& name) { return !why_not_here(name).empty(); });
    return names;
}

std::vector<std::string> fast_backend_names() {
    std::vector<std::string> names = instruction_set_names();
    names.push_back(cuda);
    return names;
}

std::vector<std::string> names_that_add_rows_in_order() {
    return instruction_set_names();
}

std::unique_ptr<Backend> make_fast_backend(const std::string& name) {
    return name == cuda ? make_cuda_backend(0) : cpu::make_backend(instruction_set_of(name));
}

std::string why_not_here(const std::string& name) {
    if (name != cuda)
        return cpu::supported(instruction_set_of(name)) ? "" : "this processor does not run " + name;
    static const std::string why = [] {
        try {
            make_cuda_backend(0);
            return std::string();
        } catch (const std::exception& error) {
            return std::string(error.what());
        }
    }();
    return why;
}

}  // namespace isogrid::kernels::test
