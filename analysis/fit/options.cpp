#include "analysis/fit/options.hpp"

#include <array>

namespace isogrid::analysis {

std::string_view name(Resampling resampling) {
    switch (resampling) {
        case Resampling::cases:
            return "cases";
        case Resampling::residuals:
            return "residuals";
        case Resampling::seeds:
            return "seeds";
    }
    return "unknown";
}

study::Result<Resampling> parse_resampling(std::string_view text) {
    for (const Resampling resampling : {Resampling::cases, Resampling::residuals, Resampling::seeds})
        if (name(resampling) == text) return resampling;
    return study::fail("--resample", "\"" + std::string(text) + "\" is nothing to draw again",
                       "there are cases, residuals and seeds", "use one of them");
}

}  // namespace isogrid::analysis
