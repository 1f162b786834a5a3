#include "analysis/report/gnuplot.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <regex>
#include <spawn.h>
#include <unistd.h>
#include <utility>

#include <sys/wait.h>

#include "analysis/report/html_elements.hpp"

extern "C" char** environ;

namespace isogrid::analysis {
namespace {

/// An unnamed temporary file: gone when closed, whatever happens.
class ScratchFile {
  public:
    ScratchFile() : file_(std::tmpfile()) {}
    ~ScratchFile() {
        if (file_) std::fclose(file_);
    }
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;

    bool ok() const { return file_ != nullptr; }
    int descriptor() const { return fileno(file_); }
    bool write(const std::string& text) {
        return std::fwrite(text.data(), 1, text.size(), file_) == text.size() && std::fflush(file_) == 0;
    }
    void rewind() { std::rewind(file_); }
    std::string read() {
        rewind();
        std::string text;
        std::array<char, 1 << 14> chunk{};
        while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file_))
            text.append(chunk.data(), got);
        return text;
    }

  private:
    std::FILE* file_;
};

/// Runs gnuplot with these as its standard streams; returns 0 or why it could not be started.
int run_gnuplot(ScratchFile& in, ScratchFile& out, ScratchFile& err, int& status) {
    posix_spawn_file_actions_t streams;
    posix_spawn_file_actions_init(&streams);
    posix_spawn_file_actions_adddup2(&streams, in.descriptor(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&streams, out.descriptor(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&streams, err.descriptor(), STDERR_FILENO);
    std::string program = "gnuplot";
    std::array<char*, 2> arguments = {program.data(), nullptr};
    pid_t child = 0;
    const int error = posix_spawnp(&child, program.c_str(), &streams, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&streams);
    if (error != 0) return error;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return 0;
}

/// Inline SVG needs no prologue and no namespaces; several pictures on one page must not share ids.
std::string prepare_for_html(std::string svg, const Figure& figure) {
    svg.erase(0, svg.find("<svg"));
    svg = std::regex_replace(svg, std::regex("\\s*xmlns(:xlink)?=\"[^\"]*\""), "");
    svg = std::regex_replace(svg, std::regex("<title>[^<]*</title>|<desc>[^<]*</desc>"), "");
    svg = std::regex_replace(svg, std::regex("xlink:href=(['\"])#"), "href=$1#" + figure.key + "-");
    svg = std::regex_replace(svg, std::regex("\\bid=(['\"])"), "id=$1" + figure.key + "-");
    svg = std::regex_replace(svg, std::regex("url\\(#"), "url(#" + figure.key + "-");
    svg.insert(std::strlen("<svg"), " role=\"img\" aria-label=\"" + escape(figure.title) + "\"");
    return svg;
}

}  // namespace

base::Result<std::string> draw(const Figure& figure) {
    ScratchFile in, out, err;
    if (!in.ok() || !out.ok() || !err.ok() || !in.write(gnuplot_script(figure)))
        return base::fail("", "no picture " + figure.key, "no temporary file can be written",
                          "free space in the temporary folder");
    in.rewind();
    int status = 0;
    if (const int error = run_gnuplot(in, out, err, status); error != 0)
        return base::fail("", "no pictures",
                          std::string("gnuplot cannot be started: ") + std::strerror(error),
                          "install it (Debian: apt-get install gnuplot-nox)");
    std::string svg = out.read();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || svg.find("</svg>") == std::string::npos)
        return base::fail("", "no picture " + figure.key, "gnuplot failed: " + err.read(), "report this");
    return prepare_for_html(std::move(svg), figure);
}

}  // namespace isogrid::analysis
