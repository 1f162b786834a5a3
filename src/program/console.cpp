#include "program/console.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <sys/ioctl.h>

namespace isogrid::program {

namespace {

/// The terminal behind the standard output of the mpirun that is our parent; -1 when there is none.
int open_launcher_terminal() {
    if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) return -1;
    std::error_code error;
    const auto output = "/proc/" + std::to_string(getppid()) + "/fd/1";
    const auto target = std::filesystem::read_symlink(output, error).string();
    if (error || (!target.starts_with("/dev/pts/") && !target.starts_with("/dev/tty"))) return -1;
    return open(target.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
}

}  // namespace

int terminal_columns(int descriptor) {
    winsize size{};
    if (isatty(descriptor) == 0 || ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
    return size.ws_col;
}

Console Console::standard() {
    if (terminal_columns(STDOUT_FILENO) > 0) return {STDOUT_FILENO, true, false};
    const int launcher = open_launcher_terminal();
    if (launcher >= 0) {
        Console console(launcher, true, true);
        if (terminal_columns(launcher) > 0) return console;
    }
    return {STDOUT_FILENO, false, false};
}

Console::Console(int descriptor, bool live, bool owned)
    : descriptor_(descriptor), live_(live), owned_(owned) {}

Console::Console(Console&& other) noexcept
    : descriptor_(other.descriptor_),
      live_(other.live_),
      owned_(std::exchange(other.owned_, false)),
      shown_(std::exchange(other.shown_, {})) {}

Console::~Console() {
    clear();
    if (owned_) close(descriptor_);
}

int Console::columns() const {
    const int columns = terminal_columns(descriptor_);
    return columns > 0 ? columns : 80;
}

void Console::line(std::string_view text) {
    const std::string shown = shown_;
    clear();
    write(std::string(text) + "\n");
    if (!shown.empty()) rewrite(shown);
}

void Console::rewrite(std::string_view text) {
    if (!live_) return;
    write("\r" + std::string(text) + "\x1b[K");  // the code clears from here to the end of the line
    shown_ = text;
}

void Console::clear() {
    if (shown_.empty()) return;
    write("\r\x1b[K");
    shown_.clear();
}

void Console::write(std::string_view text) const {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor_, text.data(), text.size());
        if (written < 0 && errno != EINTR) return;  // nobody listens any more; the sweep goes on
        if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace isogrid::program
