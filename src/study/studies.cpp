// The words of job files for the choices of studies.
#include "study/studies.hpp"

#include <stdexcept>

namespace isogrid::study {

std::string_view name(BatchRule rule) {
    switch (rule) {
        case BatchRule::none:
            return "none";
        case BatchRule::square_root:
            return "square_root";
        case BatchRule::linear:
            return "linear";
    }
    throw std::invalid_argument("no such rule");
}

std::string_view name(Variant variant) {
    switch (variant) {
        case Variant::tuned:
            return "tuned";
        case Variant::truncated_cosine:
            return "truncated_cosine";
        case Variant::fixed_warmup:
            return "fixed_warmup";
        case Variant::stable_decay:
            return "stable_decay";
        case Variant::large_batch:
            return "large_batch";
    }
    throw std::invalid_argument("no such variant");
}

}  // namespace isogrid::study
