// The command line of isogrid-fit: its options, and what they ask for.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/report/answer.hpp"
#include "analysis/runs.hpp"

namespace isogrid::analysis {

/// What was asked for, checked.
struct Request {
    std::optional<CsvRequest> csv;
    std::vector<std::filesystem::path> files;  ///< of comma-separated values
    ArchiveRequest archive;
    std::vector<std::string> laws;  ///< by name; empty for all
    FitOptions fit;
    std::vector<double> targets;  ///< FLOPs
    std::optional<double> inference_tokens;
    std::vector<Reference> references;
    std::string json, report;  ///< where to; empty for nowhere; `-` of json is standard output
    bool help = false;         ///< only the help was asked for; nothing else is set
};

/// Reads the words of a command line. Faults: words that are no options, more or fewer than one input, and
/// values that say nothing.
study::Result<Request> parse_command_line(int count, const char* const* words);

/// Usage, options and laws.
std::string help_text();

}  // namespace isogrid::analysis
