#include "cluster/sweep/status.hpp"

#include <string>

#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

int status(const options::variables_map& given) {
    return cluster::show_status({.archive = text(given, "ARCHIVE"),
                                 .watch = given.contains("watch"),
                                 .json = given.contains("json")});
}

}  // namespace

Verb status_verb() {
    Verb verb{.name = "status",
              .arguments = "OUT.h5 [--watch] [--json]",
              .summary = "Shows how far a run is, without touching it.",
              .positions = {"ARCHIVE"},
              .run = status};
    verb.described.add_options()("watch", "again every few seconds")("json", "as JSON");
    return verb;
}

}  // namespace isogrid::verbs
