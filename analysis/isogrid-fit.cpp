// The isogrid-fit program: options in, laws out.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>
#include <span>
#include <thread>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sys/ioctl.h>

#include "analysis/command_line.hpp"
#include "analysis/report/answer.hpp"
#include "analysis/report/frontier_figures.hpp"
#include "analysis/report/gnuplot.hpp"
#include "analysis/report/sentences.hpp"
#include "archive/durable_file.hpp"
#include "archive/provenance.hpp"
#include "study/json_text.hpp"
#include "study/wording.hpp"

namespace {

using namespace isogrid;
using namespace isogrid::analysis;

constexpr int done = 0, bad_input = 2;

/// A device, a pipe, or what leads to an open file: /dev/stdout may be one that must not be replaced.
bool is_no_file(const std::filesystem::path& path) {
    std::error_code absent;
    const std::string text = path.string();
    return text.starts_with("/dev/") || text.starts_with("/proc/") ||
           std::filesystem::is_other(std::filesystem::status(path, absent));
}

/// A file is whole under its name or as it was before, whatever the disk does; a device or a pipe is written
/// to.
void write(const std::filesystem::path& file, const std::string& text) {
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    if (is_no_file(file)) {
        std::ofstream stream(file, std::ios::binary);
        stream << text << std::flush;
        if (!stream)
            throw std::runtime_error(file.string() + ": cannot be written (check the folder and free space)");
        return;
    }
    archive::write_durably(file, std::as_bytes(std::span(text)), {.tag = archive::writer_tag()});
}

/// What would keep `file` from being written, told before the laws are fitted.
study::Faults check_place(const std::string& option, const std::filesystem::path& file) {
    std::error_code absent;
    if (std::filesystem::is_directory(file, absent))
        return {{option, file.string() + " is a folder", "a file is written", "name a file in it"}};
    if (is_no_file(file)) return {};
    std::filesystem::path above = std::filesystem::absolute(file).parent_path();
    while (!std::filesystem::exists(above, absent) && above.has_relative_path())
        above = above.parent_path();
    if (!std::filesystem::is_directory(above, absent))
        return {{option, file.string() + " cannot be written", above.string() + " is no folder",
                 "name another place"}};
    if (::access(above.c_str(), W_OK | X_OK) != 0)
        return {{option, file.string() + " cannot be written", above.string() + ": " + std::strerror(errno),
                 "name another place"}};
    return {};
}

/// Tables may be as wide as the terminal; in a file or a pipe they stay in one piece.
std::size_t table_columns() {
    winsize window{};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0;
    return known ? window.ws_col : std::numeric_limits<std::size_t>::max();
}

std::filesystem::path page_of(const Request& request) {
    return std::filesystem::path(request.report) / "report.html";
}

/// Draws every figure, one thread a processor; without gnuplot one message stands for all.
std::vector<Picture> draw_all(const Answer& answer) {
    std::vector<Picture> pictures;
    for (Figure& figure : frontier_figures(answer))
        pictures.push_back({"", std::move(figure), ""});
    for (const LawFit& fit : answer.fits)
        for (const Figure& figure : fit.figures)
            pictures.push_back({fit.name, figure, ""});
    std::atomic<std::size_t> next{0};
    std::atomic<bool> told{false};
    const auto work = [&] {
        for (std::size_t p = next++; p < pictures.size(); p = next++) {
            auto svg = draw(pictures[p].figure);
            if (svg)
                pictures[p].svg = std::move(*svg);
            else if (!told.exchange(true))
                std::cerr << "isogrid-fit: " << study::to_string(svg.error());
        }
    };
    std::vector<std::jthread> pool;
    for (unsigned t = 0; t < std::max(1U, std::thread::hardware_concurrency()); ++t)
        pool.emplace_back(work);
    pool.clear();
    return pictures;
}

int refuse(const study::Faults& faults) {
    std::cerr << study::to_string(faults);
    return bad_input;
}

/// A law that was asked for by name must be about these runs; of all laws at least one.
study::Faults check_laws(const Request& request, const Runs& runs) {
    study::Faults faults;
    bool any = false;
    for (const Law& law : laws()) {
        const bool named =
            std::find(request.laws.begin(), request.laws.end(), law.name) != request.laws.end();
        if (!named && !request.laws.empty()) continue;
        if (const auto studies = missing_studies(law, runs); !studies.empty()) {
            if (named)
                faults.push_back({runs.source, "has no runs for the law " + std::string(law.name),
                                  describe(NotAsked{std::string(law.name), {}, {}, studies}),
                                  "ask for another law"});
            continue;
        }
        const std::vector<Role> missing = missing_roles(law, runs);
        any = any || missing.empty();
        if (named && !missing.empty())
            faults.push_back({runs.source, "says nothing of " + to_string(missing),
                              "the law " + std::string(law.name) + " is about it",
                              request.csv ? "name such columns with --columns, or ask for another law"
                                          : "ask for another law"});
    }
    if (!any && faults.empty())
        faults.push_back({runs.source, "no law can be fitted",
                          "they need at least parameters, tokens and loss",
                          "name more columns with --columns"});
    return faults;
}

/// A curve that is not there cannot be held out: the fit would take it in under its real name.
study::Faults check_held_out(const Request& request, const Runs& runs) {
    constexpr std::size_t shown = 5;
    std::vector<std::string> names;
    for (const Run& run : runs.used)
        names.push_back(run.name);
    const std::string some = study::listed(std::span(names).first(std::min(shown, names.size())));
    study::Faults faults;
    for (const std::string& wanted : request.fit.hold_out) {
        if (std::find(names.begin(), names.end(), wanted) != names.end()) continue;
        const auto meant = study::nearest(wanted, names);
        faults.push_back({"--hold-out", "no run is called " + wanted,
                          "there are " + some + (names.size() > shown ? ", .." : ""),
                          meant ? "write " + *meant : "name one of them"});
    }
    return faults;
}

int run(const Request& request) {
    const bool prints_json = request.json == "-", writes_json = !request.json.empty() && !prints_json;
    study::Faults misplaced;
    if (writes_json) misplaced = check_place("--json", request.json);
    if (!request.report.empty())
        if (auto faults = check_place("--report", page_of(request)); !faults.empty())
            misplaced = std::move(faults);
    if (!misplaced.empty()) return refuse(misplaced);
    // The files are written though nobody reads the text to its end.
    if (writes_json) std::signal(SIGPIPE, SIG_IGN);
    auto runs = request.csv ? read_csv(request.files, *request.csv) : read_archive_runs(request.archive);
    if (!runs) return refuse(runs.error());
    if (runs->used.empty()) {
        study::Faults faults{
            {runs->source, "no run can be used", "every run was rejected", "see the reasons:"}};
        for (const RejectedRun& rejected : runs->rejected)
            faults.push_back({runs->source, rejected.name, rejected.reason, ""});
        return refuse(faults);
    }
    if (auto faults = check_laws(request, *runs); !faults.empty()) return refuse(faults);
    if (auto faults = check_held_out(request, *runs); !faults.empty()) return refuse(faults);
    const Answer all = answer(std::move(*runs), request.laws, request.fit, request.targets,
                              request.references, request.inference_tokens);
    std::cout << (prints_json ? study::json_text(to_json(all), 2) : to_text(all, table_columns()));
    if (writes_json) write(request.json, study::json_text(to_json(all), 2));
    if (!request.report.empty()) {
        const std::filesystem::path page = page_of(request);
        write(page, to_html(all, draw_all(all)));
        (prints_json ? std::cerr : std::cout) << "\nreport: " << page.string() << "\n";
    }
    return done;
}

}  // namespace

int main(int count, char** words) {
    try {
        const auto request = parse_command_line(count, words);
        if (!request) return refuse(request.error());
        int code = done;
        if (request->help)
            std::cout << help_text();
        else
            code = run(*request);
        if (std::cout.flush() || code != done) return code;
        std::cerr << "isogrid-fit: standard output could not be written to its end (is its disk full?) make "
                     "room there, or write elsewhere\n";
        return 1;
    } catch (const std::filesystem::filesystem_error& error) {
        std::cerr << "isogrid-fit: " << error.path1().string() << ": cannot be used ("
                  << error.code().message() << ") set the rights there, make room, or name another place\n";
        return 1;
    } catch (const std::exception& error) {
        std::cerr << "isogrid-fit: " << error.what() << "\n";
        return 1;
    }
}
