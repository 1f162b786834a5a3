#include "archive/process_identity.hpp"

#include <charconv>
#include <cstdlib>
#include <unistd.h>

#include <sys/utsname.h>

namespace isogrid::archive {

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

}  // namespace

std::string host_name() {
    utsname system{};
    ::uname(&system);
    return system.nodename;
}

std::string slurm_job() {
    return environment("SLURM_JOB_ID");
}

std::int64_t slurm_restarts() {
    const std::string text = environment("SLURM_RESTART_COUNT");
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::string slurm_start_here() {
    const std::string job = slurm_job();
    return job.empty() ? job : job + "." + std::to_string(slurm_restarts());
}

std::string writer_tag() {
    const std::string job = slurm_job();
    return host_name() + "-" + std::to_string(::getpid()) + "-" + (job.empty() ? "0" : job) + "-" +
           std::to_string(slurm_restarts());
}

}  // namespace isogrid::archive
