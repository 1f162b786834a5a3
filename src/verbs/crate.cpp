#include "archive/crate.hpp"

#include <iostream>
#include <string>

#include "archive/process_identity.hpp"
#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

int crate(const options::variables_map& given) {
    const auto written = archive::write_crate(text(given, "ARCHIVE"), text(given, "to"),
                                              text(given, "license"), {.tag = archive::writer_tag()});
    if (!written) return refuse(written.error());
    std::cout << "wrote " << text(given, "to") << "/ro-crate-metadata.json\n";
    return exit_done;
}

}  // namespace

Verb crate_verb() {
    using options::value;
    Verb verb{
        .name = "crate",
        .arguments = "OUT.h5 --to DIR [--license URL]",
        .summary = "Makes a folder of an archive that describes itself (RO-Crate 1.1), to be published.",
        .positions = {"ARCHIVE"},
        .run = crate};
    auto option = verb.described.add_options();
    option("to", value<std::string>()->required(), "folder to make");
    option("license", value<std::string>()->default_value(""), "of the data, as an address");
    return verb;
}

}  // namespace isogrid::verbs
