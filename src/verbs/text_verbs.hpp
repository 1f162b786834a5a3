// The verb that begins with texts.
#pragma once

#include "verbs/verb.hpp"

namespace isogrid::verbs {

Verb tokenize_verb();

}  // namespace isogrid::verbs
