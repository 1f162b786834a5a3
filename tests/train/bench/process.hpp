// Processes of a benchmark: workers forked from it and commands of its user. None of them outlives it.
#pragma once

#include <csignal>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/types.h>

#include "files/descriptor.hpp"

namespace isogrid::bench {

/// Numbers of the cores that this process may use.
std::vector<int> usable_cores();

/// The user asked to stop (Ctrl-C, kill).
struct Interrupted : std::runtime_error {
    explicit Interrupted(int number) : std::runtime_error("interrupted"), signal(number) {}
    int signal;
};

/// While one lives, SIGINT, SIGTERM and SIGHUP end wait_for() with Interrupted instead of ending the program.
class StopSignals {
  public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

  private:
    struct sigaction before_[3];
};

/// A running process with a process group of its own, both ended with their handle.
class Child {
  public:
    /// Runs `work` in a copy of this process, pinned to `cores`; what it returns becomes output(). If it
    /// throws, output() is the exception's words, and the process has failed.
    static Child fork_worker(const std::function<std::string()>& work, std::span<const int> cores);
    /// Runs `command` by the shell, pinned to `cores`; output() is both its streams.
    static Child start_command(const std::string& command, std::span<const int> cores);

    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();

    const std::string& output() const { return output_; }
    bool ended() const { return ended_; }
    bool failed() const { return ended_ && status_ != 0; }
    std::string how_it_ended() const;  ///< `exit status 2`, `signal 9`

  private:
    friend void wait_for(std::span<Child> children, bool until_first_failure);
    Child(pid_t process, files::Descriptor pipe) : process_(process), pipe_(std::move(pipe)) {}
    static Child start(const std::function<void(int pipe)>& body, std::span<const int> cores);
    void read_some();
    void reap_if_ended();

    pid_t process_ = -1;
    files::Descriptor pipe_;
    std::string output_;
    int status_ = 0;
    bool ended_ = false;
};

/// Until all children, or one that failed, ended. Throws Interrupted while StopSignals live.
void wait_for(std::span<Child> children, bool until_first_failure);

}  // namespace isogrid::bench
