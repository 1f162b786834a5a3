#include "analysis/laws/law.hpp"
namespace isogrid::analysis {
LawFit fit_isoflop(const Runs&, const FitOptions&) {
    LawFit f;
    f.name = "isoflop";
    f.refused = Reason{Refusal::no_curves, "not fitted yet"};
    return f;
}
}  // namespace isogrid::analysis
