#include "train/bench/process.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <sched.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <sys/prctl.h>
#include <sys/wait.h>

namespace isogrid::bench {
namespace {

constexpr std::array stop_signals = {SIGINT, SIGTERM, SIGHUP};
volatile std::sig_atomic_t noted_signal = 0;  // a signal handler can reach nothing else

extern "C" void note_stop_signal(int number) {
    noted_signal = number;
}

[[noreturn]] void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

void pin_to(std::span<const int> cores) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int core : cores)
        CPU_SET(static_cast<std::size_t>(core), &set);
    sched_setaffinity(0, sizeof set, &set);  // where it is refused, the scheduler places the process
}

void write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return;  // nobody reads any more
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

std::vector<int> usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cores;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int core = 0; core < CPU_SETSIZE; ++core)
            if (CPU_ISSET(static_cast<std::size_t>(core), &set)) cores.push_back(core);
    if (cores.empty()) cores.push_back(0);
    return cores;
}

StopSignals::StopSignals() {
    noted_signal = 0;
    for (std::size_t i = 0; i < stop_signals.size(); ++i) {
        struct sigaction action {};
        action.sa_handler = note_stop_signal;
        sigaction(stop_signals[i], &action, &before_[i]);
    }
}

StopSignals::~StopSignals() {
    for (std::size_t i = 0; i < stop_signals.size(); ++i)
        sigaction(stop_signals[i], &before_[i], nullptr);
}

Child Child::start(const std::function<void(int pipe)>& body, std::span<const int> cores) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("cannot make a pipe");
    files::Descriptor reading(ends[0]), writing(ends[1]);
    std::cout.flush();  // or both processes would print what is still in memory
    const pid_t parent = ::getpid();
    const pid_t process = ::fork();
    if (process < 0) throw_errno("cannot start a process");
    if (process == 0) {
        ::setpgid(0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        for (const int number : stop_signals)
            ::signal(number, SIG_DFL);
        pin_to(cores);
        body(writing.get());
        ::_exit(0);
    }
    ::setpgid(process, process);  // whichever of the two comes first
    return Child(process, std::move(reading));
}

Child Child::fork_worker(const std::function<std::string()>& work, std::span<const int> cores) {
    return start(
        [&](int pipe) {
            try {
                write_all(pipe, work());
            } catch (const std::exception& error) {
                write_all(pipe, error.what());
                ::_exit(1);
            }
        },
        cores);
}

Child Child::start_command(const std::string& command, std::span<const int> cores) {
    return start(
        [&](int pipe) {
            const int nothing = ::open("/dev/null", O_RDONLY);
            ::dup2(nothing, STDIN_FILENO);
            ::dup2(pipe, STDOUT_FILENO);
            ::dup2(pipe, STDERR_FILENO);
            ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
            write_all(STDERR_FILENO, "cannot start /bin/sh\n");
            ::_exit(127);
        },
        cores);
}

Child::Child(Child&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      pipe_(std::move(other.pipe_)),
      output_(std::move(other.output_)),
      status_(other.status_),
      ended_(other.ended_) {}

Child::~Child() {
    if (process_ < 0) return;
    ::kill(-process_, SIGKILL);  // what a command started and left behind, too
    if (!ended_) ::waitpid(process_, nullptr, 0);
}

std::string Child::how_it_ended() const {
    return WIFSIGNALED(status_) ? "signal " + std::to_string(WTERMSIG(status_))
                                : "exit status " + std::to_string(WEXITSTATUS(status_));
}

/// What there is to read now; closes the pipe at its end.
void Child::read_some() {
    std::array<char, 4096> buffer;
    while (pipe_) {
        pollfd ready{pipe_.get(), POLLIN, 0};
        if (::poll(&ready, 1, 0) != 1) return;
        const ssize_t count = ::read(pipe_.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            pipe_ = files::Descriptor();
            return;
        }
        output_.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

void Child::reap_if_ended() {
    if (ended_ || ::waitpid(process_, &status_, WNOHANG) != process_) return;
    ended_ = true;
    read_some();  // what it wrote last; a process that it left behind may keep the pipe open
}

void wait_for(std::span<Child> children, bool until_first_failure) {
    constexpr int patience_ms = 20;  // an end does not always show on the pipe
    while (true) {
        std::vector<pollfd> pipes;
        bool all_ended = true, one_failed = false;
        for (Child& child : children) {
            child.read_some();
            child.reap_if_ended();
            all_ended = all_ended && child.ended();
            one_failed = one_failed || child.failed();
            if (!child.ended() && child.pipe_) pipes.push_back({child.pipe_.get(), POLLIN, 0});
        }
        if (noted_signal != 0) throw Interrupted(noted_signal);
        if (all_ended || (one_failed && until_first_failure)) return;
        ::poll(pipes.data(), pipes.size(), patience_ms);
    }
}

}  // namespace isogrid::bench
