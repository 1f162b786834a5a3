// The processor's instruction sets by name, for tests of them alone.
#pragma once

#include <string>
#include <vector>

namespace isogrid::kernels::test {

std::vector<std::string> instruction_set_names();
std::vector<std::string> names_that_run_here();

}  // namespace isogrid::kernels::test
