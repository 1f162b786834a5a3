// The way from a job file to a study: read, check, look at the corpus, expand.
#include "study/study.hpp"

#include <utility>

#include "files/text.hpp"
#include "study/expand.hpp"
#include "study/job_check.hpp"
#include "study/job_faults.hpp"
#include "study/job_reader.hpp"
#include "study/scale.hpp"
#include "study/warnings.hpp"

namespace isogrid::study {

namespace {

void pass_on(const base::Faults& corpus_faults, JobFaults& faults) {
    for (const base::Fault& fault : corpus_faults) {
        const std::string whose = fault.where.empty() ? "" : fault.where + ": ";
        faults.add("data.tokens", whose + fault.problem, fault.why, fault.action);
    }
}

}  // namespace

base::Result<Study> read_study(const std::filesystem::path& job_file, const ReadCorpus& read_corpus,
                               const ExactFlopsPerToken& exact_flops_per_token, std::optional<double> scale) {
    base::Result<std::string> text = files::read_text(job_file, "a job file");
    if (text && text->starts_with("\x89HDF"))
        return base::fail(job_file.string(), "is an HDF5 file, as archives are", "a job file is TOML, a text",
                          "name the job file");
    if (text && scale) text = with_scale(*text, *scale, job_file.string());
    if (!text) return tl::unexpected(std::move(text.error()));
    return parse_study(std::move(*text), job_file, job_file.parent_path(), read_corpus,
                       exact_flops_per_token);
}

base::Result<Study> parse_study(std::string text, const std::filesystem::path& job_file,
                                const std::filesystem::path& folder, const ReadCorpus& read_corpus,
                                const ExactFlopsPerToken& exact_flops_per_token) {
    Study study;
    Job& job = study.job;
    job.path = job_file;
    job.text = std::move(text);

    JobFaults faults(job_file);
    read_job(job, folder, faults);
    check_job(job, faults);
    if (faults.sound({"data.tokens"})) {
        if (base::Result<CorpusFacts> corpus = read_corpus(job.token_file)) {
            study.corpus = std::move(*corpus);
            check_corpus(job, study.corpus, faults);
            study.grid.trials = expand_grid(job, study.corpus, exact_flops_per_token, faults);
        } else {
            pass_on(corpus.error(), faults);
        }
    }
    if (!faults.empty()) return tl::unexpected(faults.in_order());

    study.grid.warnings = grid_warnings(job, study.corpus, study.grid.trials);
    return study;
}

}  // namespace isogrid::study
