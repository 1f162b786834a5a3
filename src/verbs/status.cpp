#include "cluster/sweep/status.hpp"

#include <chrono>
#include <filesystem>
#include <iostream>
#include <limits>
#include <thread>

#include "cluster/site/stop_signals.hpp"
#include "cluster/sweep/progress.hpp"
#include "program/console.hpp"
#include "program/ending.hpp"
#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

/// With --watch again and again, until the sweep no longer runs.
int status(const options::variables_map& given) {
    const std::filesystem::path archive = text(given, "ARCHIVE");
    const bool watch = given.contains("watch"), json = given.contains("json");
    constexpr std::chrono::milliseconds glance{200};
    constexpr int glances_between_looks = 10,
                  looks_between_lines = 30;  // every 2 s, and a line a minute in a log
    program::Console console = program::Console::standard();
    const cluster::StopSignals signals;
    for (int look = 0;; ++look) {
        const auto status = cluster::read_status(archive);
        if (!status) {
            std::cerr << base::to_string(status.error());
            return exit_bad_input;
        }
        const bool more = watch && status->stage == cluster::Stage::running && !signals.received();
        if (!more) {
            console.clear();
            std::cout << (json ? cluster::status_json(*status) : cluster::status_text(*status)) << std::flush;
            return status->stage == cluster::Stage::absent ? exit_bad_input : exit_done;
        }
        if (status->progress) {
            const cluster::SweepState& state = status->progress->state;
            if (console.live())
                console.rewrite(cluster::progress_line(state, console.columns() - 1));
            else if (look % looks_between_lines == 0 && !json)
                console.line(cluster::progress_line(state, std::numeric_limits<int>::max()));
        }
        for (int i = 0; i < glances_between_looks && !signals.received(); ++i)
            std::this_thread::sleep_for(glance);
    }
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
