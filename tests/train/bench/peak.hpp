// How fast this processor multiplies and adds at best: loops that touch registers only, one an instruction
// set.
#pragma once

#include <string>
#include <vector>

namespace isogrid::bench {

struct MultiplyAdds {
    std::string name;       ///< `avx512`
    std::string precision;  ///< of the factors; the sums are float32
    double flops = 0;       ///< of one call of run
    void (*run)();          ///< some ten microseconds
};

/// Those that this processor has.
std::vector<MultiplyAdds> multiply_adds();

/// Whether products in `precision` may use it: float32 ones do for every precision, since factors can be
/// widened.
bool serves(const std::string& multiply_add_precision, const std::string& precision);

}  // namespace isogrid::bench
