// Verbs that begin with a job file.
#pragma once

#include "verbs/verb.hpp"

namespace isogrid::verbs {

Verb plan_verb();
Verb run_verb();
Verb batches_verb();

}  // namespace isogrid::verbs
