// Verbs that begin with an archive.
#pragma once

#include "verbs/verb.hpp"

namespace isogrid::verbs {

Verb status_verb();
Verb verify_verb();
Verb crate_verb();
Verb export_verb();

}  // namespace isogrid::verbs
