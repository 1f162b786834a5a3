// The command line of isogrid-fit: its options, and what they ask for.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/answer/answer.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {

/// With help and version nothing else is set.
enum class Asked { fit, help, version };

/// What was asked for, checked.
struct Request {
    Asked asked = Asked::fit;
    std::optional<CsvRequest> csv;
    std::vector<std::filesystem::path> files;  ///< of comma-separated values
    ArchiveRequest archive;
    std::vector<std::string> laws;  ///< by name; empty for all
    FitOptions fit;
    std::vector<double> targets;  ///< FLOPs
    std::optional<double> inference_tokens;
    std::vector<Reference> references;
    bool brief = false;        ///< leaves out what the text says of each law
    std::string json, report;  ///< where to; empty for nowhere; `-` of json is standard output
};

/// Reads the words of a command line, behind the program's name. Faults: words that are no options, more or
/// fewer than one input, and values that say nothing.
base::Result<Request> parse_command_line(const std::vector<std::string>& words);

/// Usage, options and laws.
std::string help_text();

}  // namespace isogrid::analysis
