// The tables and pictures of mixtures.
#pragma once

#include <string>
#include <vector>

#include "analysis/figures/figure.hpp"
#include "analysis/laws/mixture_forms.hpp"

namespace isogrid::analysis {

/// The forms by their held-out error; `chosen` is marked.
Table form_table(const std::vector<MixtureForm>& forms, const std::string& chosen);

/// What happens to the loss as one source's share changes and the others keep their proportions (Cox 1971).
Figure trace_figure(const MixtureForm& form, const Mixtures& data, const Shares& best);

/// What each run's loss was against what was predicted without it.
Figure held_out_figure(const Mixtures& data, const std::vector<double>& predicted, const MixtureForm& form);

}  // namespace isogrid::analysis
