// The isogrid-fit program: options in, laws out.
#include <csignal>
#include <filesystem>
#include <iostream>
#include <string>
#include <unistd.h>
#include <utility>

#include <nlohmann/json.hpp>

#include "analysis/check_request.hpp"
#include "analysis/command_line.hpp"
#include "analysis/output_file.hpp"
#include "analysis/report/pictures.hpp"
#include "analysis/report/report.hpp"
#include "archive/provenance.hpp"
#include "base/json_text.hpp"
#include "program/console.hpp"
#include "program/ending.hpp"

namespace isogrid::analysis {
namespace {

std::filesystem::path page_of(const Request& request) {
    return std::filesystem::path(request.report) / "report.html";
}

int fit(const Request& request) {
    const bool prints_json = request.json == "-", writes_json = !request.json.empty() && !prints_json;
    base::Faults misplaced;
    if (writes_json) misplaced = check_place("--json", request.json);
    if (!request.report.empty())
        if (auto faults = check_place("--report", page_of(request)); !faults.empty())
            misplaced = std::move(faults);
    if (!misplaced.empty()) return program::refuse(misplaced);
    // The files are written though nobody reads the text to its end.
    if (writes_json) std::signal(SIGPIPE, SIG_IGN);
    auto runs = request.csv ? read_csv(request.files, *request.csv) : read_archive_runs(request.archive);
    if (!runs) return program::refuse(runs.error());
    if (const auto faults = check_request(request, *runs); !faults.empty()) return program::refuse(faults);
    const Answer all = answer(std::move(*runs), request.laws, request.fit, request.targets,
                              request.references, request.inference_tokens);
    std::cout << (prints_json ? base::json_text(to_json(all), 2)
                              : to_text(all, program::terminal_columns(STDOUT_FILENO),
                                        request.brief ? Detail::brief : Detail::all));
    if (writes_json) write(request.json, base::json_text(to_json(all), 2));
    if (!request.report.empty()) {
        base::Faults undrawn;
        const std::filesystem::path page = page_of(request);
        write(page, to_html(all, draw_all(all, undrawn)));
        if (!undrawn.empty()) std::cerr << "isogrid-fit: " << base::to_string(undrawn);
        (prints_json ? std::cerr : std::cout) << "\nreport: " << page.string() << "\n";
    }
    return program::exit_done;
}

int main_of(const std::vector<std::string>& words) {
    const auto request = parse_command_line(words);
    if (!request) return program::refuse(request.error());
    switch (request->asked) {
        case Asked::help:
            std::cout << help_text();
            return program::exit_done;
        case Asked::version:
            std::cout << "isogrid-fit " << archive::code_revision() << "\n";
            return program::exit_done;
        case Asked::fit:
            break;
    }
    return fit(*request);
}

}  // namespace
}  // namespace isogrid::analysis

int main(int count, char** words) {
    return isogrid::program::run("isogrid-fit", [&] {
        return isogrid::analysis::main_of({words + 1, words + count});
    });
}
