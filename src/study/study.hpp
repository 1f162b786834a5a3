// From a job file to a grid of trials, or every fault at once.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "study/job.hpp"
#include "study/trial.hpp"

namespace isogrid::study {

/// Trials study by study; of budgets in canonical order: budgets rising, then parameters rising. The archive
/// keeps this order.
struct Grid {
    std::vector<PlannedTrial> trials;
    std::vector<std::string> warnings;  ///< `problem (why) what to do`: the grid runs, but may not answer
};

struct Study {
    Job job;
    CorpusFacts corpus;
    Grid grid;
};

/// What a study needs from the layers above: facts of the token file, and the graph's own FLOP count.
using ReadCorpus = std::function<base::Result<CorpusFacts>(const std::filesystem::path& token_file)>;
using ExactFlopsPerToken = std::function<double(const Shape& shape)>;

/// Reads and checks a job file and expands its grid. On failure, one fault a problem, all of them, each with
/// file, line and key. Writes nothing. With a `scale` the job is as if its file said so.
base::Result<Study> read_study(const std::filesystem::path& job_file, const ReadCorpus& read_corpus,
                               const ExactFlopsPerToken& exact_flops_per_token,
                               std::optional<double> scale = std::nullopt);

/// The study of a job file's text (an archive keeps it); relative paths resolve against `folder`.
base::Result<Study> parse_study(std::string text, const std::filesystem::path& job_file,
                                const std::filesystem::path& folder, const ReadCorpus& read_corpus,
                                const ExactFlopsPerToken& exact_flops_per_token);

}  // namespace isogrid::study
