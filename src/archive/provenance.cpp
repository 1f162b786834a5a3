#include "archive/provenance.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <hdf5.h>

#include "archive/build_facts.hpp"
#include "archive/process_identity.hpp"

namespace isogrid::archive {

namespace {

/// The text after the colon of /proc/cpuinfo's first `model name`.
std::string processor_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t value = line.find(": ");
        if (line.starts_with("model name") && value != std::string::npos) return line.substr(value + 2);
    }
    return "unknown";
}

std::string hdf5_version() {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

}  // namespace

std::string value_of(const Facts& facts, std::string_view name) {
    const auto found = std::ranges::find(facts, name, &Fact::name);
    return found == facts.end() ? std::string() : found->value;
}

std::string code_revision() {
    return build_revision;
}

Facts build_facts() {
    return {{"revision", code_revision()},
            {"compiler", build_compiler},
            {"flags", build_flags},
            {"build type", build_type},
            {"HDF5", hdf5_version()}};
}

TrialProvenance provenance_here() {
    return {.host = host_name(),
            .processor = processor_model(),
            .instruction_set = {},
            .code_revision = code_revision(),
            .slurm_job = slurm_job(),
            .slurm_restarts = slurm_restarts()};
}

std::string bits_of(const std::string& instruction_set, study::Precision precision) {
    constexpr std::array alike = {"avx2", "avx512", "avx512_bf16"};
    const bool of_tiles = instruction_set == "amx" && precision == study::Precision::float32;
    const bool is_alike = std::find(alike.begin(), alike.end(), instruction_set) != alike.end();
    return of_tiles || is_alike ? alike.front() : instruction_set;
}

}  // namespace isogrid::archive
