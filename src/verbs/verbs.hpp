// Every verb of the command line, each in a file of its own.
#pragma once

#include "verbs/verb.hpp"

namespace isogrid::verbs {

// Of texts.
Verb tokenize_verb();

// Of a job file.
Verb plan_verb();
Verb run_verb();
Verb batches_verb();

// Of an archive.
Verb status_verb();
Verb verify_verb();
Verb crate_verb();
Verb export_verb();

}  // namespace isogrid::verbs
