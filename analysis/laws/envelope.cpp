#include "analysis/laws/law.hpp"
namespace isogrid::analysis {
LawFit fit_envelope(const Runs&, const FitOptions&) {
    LawFit f;
    f.name = "envelope";
    f.refused = Reason{Refusal::no_curves, "not fitted yet"};
    return f;
}
}  // namespace isogrid::analysis
